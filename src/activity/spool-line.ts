import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";
import { outcomes, severities } from "../../entities/activity.js";
import type { ActivityEntry } from "./entry.js";

/** The code before an entry, if there is one. */
const signed = /^([\w-]{43}) /;
const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * Lines of a spool. With a secret each begins with an HMAC-SHA256 of its entry, and a line without the right one is not taken for
 * an entry. Without a secret nothing is checked but that it is an entry.
 */
export class SpoolLines {
  readonly #key: Uint8Array | undefined;

  constructor(secret: KeyObject | undefined) {
    // A key of its own: keyed hashes of values, some of them chosen by clients, are kept where others can read them.
    this.#key = secret && new Uint8Array(hkdfSync("sha256", secret, "", "typeorm-chronicle spool", 32));
  }

  write(entry: ActivityEntry): string {
    const json = JSON.stringify(entry);
    return this.#key === undefined ? `${json}\n` : `${this.#codeOf(this.#key, json)} ${json}\n`;
  }

  /** The entry of a line, or what is wrong with it. */
  read(line: string): ActivityEntry | string {
    const code = signed.exec(line)?.[1];
    const json = code === undefined ? line : line.slice(code.length + 1);
    if (this.#key !== undefined) {
      if (code === undefined) return "not signed";
      if (!timingSafeEqual(Buffer.from(code), Buffer.from(this.#codeOf(this.#key, json))))
        return "signed by another key";
    }
    return entryOf(json) ?? "not an entry";
  }

  #codeOf(key: Uint8Array, json: string): string {
    return createHmac("sha256", key).update(json).digest("base64url");
  }
}

function entryOf(json: string): ActivityEntry | undefined {
  try {
    const given = JSON.parse(json) as unknown;
    if (!isRecord(given) || typeof given["occurredAt"] !== "string") return undefined;
    const entry = { ...given, occurredAt: new Date(given["occurredAt"]) } as unknown as ActivityEntry;
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

const texts = ["log", "action", "node"] as const;
const textsOrNull = "category subject tenant strategy error correlationId causationId traceId spanId".split(
  " ",
) as (keyof ActivityEntry)[];

/** Whether everything is of its type: what is not could make a write fail, and be tried again for ever. */
function isEntry(entry: ActivityEntry): boolean {
  const { id, occurredAt, outcome, severity, source, actor, resource, params, details, request } = entry as {
    [name in keyof ActivityEntry]: unknown;
  };
  return (
    typeof id === "string" &&
    uuid.test(id) &&
    occurredAt instanceof Date &&
    !Number.isNaN(occurredAt.getTime()) &&
    outcomes.includes(outcome as ActivityEntry["outcome"]) &&
    severities.includes(severity as ActivityEntry["severity"]) &&
    (source === "server" || source === "client") &&
    texts.every((name) => typeof entry[name] === "string") &&
    textsOrNull.every((name) => isTextOrNull(entry[name])) &&
    (actor === null ||
      (isRecord(actor) && isText(actor["type"]) && isText(actor["id"]) && isTextOrNull(actor["name"]))) &&
    (resource === null || (isRecord(resource) && isText(resource["type"]) && isTextOrNull(resource["key"]))) &&
    (request === null || (isRecord(request) && isTextOrNull(request["ip"] ?? null))) &&
    isRecord(params) &&
    isRecord(details)
  );
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): boolean {
  return value === null || isText(value);
}

function isRecord(given: unknown): given is Record<string, unknown> {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}
