import { createHash, createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { type Option, section, value } from "./option-checker.js";
import { trueOrFalse } from "./option-kinds.js";

/** How contexts are signed: written here, checked by `read_signed()`. */

export interface ContextKey {
  /** Its name, which events keep: at most 32 letters, digits, `_` and `-`. */
  readonly id: string;
  /** At least 32 characters that nobody can guess, such as `openssl rand -base64 32` makes. */
  readonly secret: string;
}

export interface ContextOptions {
  /**
   * What request contexts are signed with, so that no other SQL says who acts. `false` ends that at the next install(),
   * which refuses to end it otherwise. (Default: not signed)
   */
  readonly key?: ContextKey | false | undefined;
  /** The key before this one: accepted too, until all processes sign with the new one. (Default: none) */
  readonly previous?: ContextKey | undefined;
  /** Refuse a tracked write whose context is not signed. (Default: as the last install() said, at first false) */
  readonly requireSigned?: boolean | undefined;
  /** Sign for any connection, because a pooler in transaction mode stands between. (Default: false) */
  readonly pooler?: boolean | undefined;
}

/** A context in base64 as it is sent to the server's process `pid`; to any, if that is "". */
export type SignContext = (encoded: string, pid: unknown) => string;

const key = section({
  id: value<string>(
    "a string of at most 32 letters, digits, _ and -",
    (given) => typeof given === "string" && /^[\w-]{1,32}$/.test(given),
    { isHidden: true },
  ).required(),
  secret: value<string>(
    "a string of at least 32 characters",
    (given) => typeof given === "string" && given.length >= 32 && Buffer.byteLength(given) <= 1_024,
    { isHidden: true },
  )
    .required()
    .as((secret) => createSecretKey(secret, "utf8")),
} satisfies Record<keyof ContextKey, Option<unknown>>);
/** Whatever stands there may be a secret in the wrong place. */
const keyOrNone = value<undefined>("an object { id, secret }", (given) => given === undefined, {
  isHidden: true,
}).orObject(key);

export const contextOptions = section({
  key: keyOrNone.orFalse(),
  previous: keyOrNone,
  requireSigned: trueOrFalse,
  pooler: trueOrFalse.byDefault(false),
})
  .also((options, wrong) => {
    if (!options.key) {
      for (const name of ["previous", "requireSigned", "pooler"] as const)
        if (options[name]) wrong(name, "given only with context.key", name === "previous" ? "a key" : options[name]);
    } else if (options.key.id === options.previous?.id) wrong("previous.id", "another than key.id", options.key.id);
  })
  .as(({ key, previous, requireSigned, pooler }) =>
    Object.freeze({
      keys: [key, previous].filter((one) => typeof one === "object"),
      endsSigning: key === false,
      requireSigned,
      pooler,
      sign: key ? signer(key.id, key.secret) : undefined,
      /** Sent and signed too if no context is open: then a process with the key says that nobody acts. */
      emptyContext: key ? Buffer.from("{}").toString("base64") : "",
    }),
  );

function signer(id: string, secret: KeyObject): SignContext {
  return (encoded, pid) => {
    const signed = `${encoded}.${id}.${Date.now()}.${String(pid)}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("hex")}`;
  };
}

const blockBytes = 64;

/** The two keys that HMAC-SHA256 makes of one (RFC 2104), so that the database needs two calls of `sha256` to check. */
export function paddedKeys(secret: KeyObject): { inner: Buffer; outer: Buffer } {
  const given = secret.export();
  const block = Buffer.alloc(blockBytes);
  block.set(given.length > blockBytes ? createHash("sha256").update(given).digest() : given);
  return { inner: block.map((byte) => byte ^ 0x36) as Buffer, outer: block.map((byte) => byte ^ 0x5c) as Buffer };
}
