import { createHmac, type KeyObject } from "node:crypto";

/** `sha256:` and the HMAC-SHA256 of a value: equal values stay equal, and nobody without the secret can try all addresses. */
export function keyedHash(secret: KeyObject | undefined, value: string): string {
  if (secret === undefined) throw new Error("no secret was configured"); // the options' check refuses this
  return `sha256:${createHmac("sha256", secret).update(value).digest("hex")}`;
}
