import type { KeyObject } from "node:crypto";
import { keyedHash } from "./keyed-hash.js";
import type { SensitiveNames } from "./sensitive-names.js";

/** Deeper, longer or more is cut, and the cut is told in its place. */
const deepest = 16;
const longest = 8_192;
const most = 1_000;

export interface Redaction {
  readonly names: SensitiveNames;
  readonly mode: "omit" | "mask" | "hash";
  readonly secret: KeyObject | undefined;
}

/**
 * A copy of what a caller gave that JSON and PostgreSQL can hold, without what is sensitive, at any depth.
 * Never throws for any value; what cannot be kept is replaced by a word in brackets.
 */
export function redacted(given: object | null | undefined, redaction: Redaction): Record<string, unknown> {
  if (given === null || given === undefined) return {};
  const copy = plain(given, redaction, 1, []);
  return typeof copy === "object" && copy !== null && !Array.isArray(copy)
    ? (copy as Record<string, unknown>)
    : { value: copy };
}

function plain(value: unknown, redaction: Redaction, depth: number, open: readonly object[]): unknown {
  switch (typeof value) {
    case "string":
      return storable(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : plainObject(value, redaction, depth, open);
    default:
      return undefined;
  }
}

function plainObject(value: object, redaction: Redaction, depth: number, open: readonly object[]): unknown {
  try {
    if (open.includes(value)) return "[circular]";
    if (depth > deepest) return "[too deep]";
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
    if (value instanceof Error) return { name: storable(value.name), message: storable(value.message) };
    if (ArrayBuffer.isView(value)) return `[binary, ${value.byteLength} bytes]`;
    const inner = [...open, value];
    if (value instanceof Map) return plainEntries(value, redaction, depth, inner);
    if (value instanceof Set) return plainList([...value], redaction, depth, inner);
    if (Array.isArray(value)) return plainList(value, redaction, depth, inner);
    if ("toJSON" in value && typeof value.toJSON === "function")
      return plain((value.toJSON as () => unknown)(), redaction, depth + 1, inner);
    return plainEntries(Object.entries(value), redaction, depth, inner);
  } catch {
    return "[unreadable]";
  }
}

function plainList(items: readonly unknown[], redaction: Redaction, depth: number, open: readonly object[]): unknown[] {
  const kept = items.slice(0, most).map((item) => plain(item, redaction, depth + 1, open) ?? null);
  if (items.length > most) kept.push(`[${items.length - most} more]`);
  return kept;
}

function plainEntries(
  entries: Iterable<[unknown, unknown]>,
  redaction: Redaction,
  depth: number,
  open: readonly object[],
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let kept = 0;
  for (const [key, value] of entries) {
    if (++kept > most) break;
    const name = storable(String(key));
    const put = redaction.names.has(name) ? hidden(value, redaction) : plain(value, redaction, depth + 1, open);
    if (put === undefined) continue;
    // A key such as __proto__ must stay a key.
    if (name === "__proto__") Object.defineProperty(copy, name, { value: put, enumerable: true });
    else copy[name] = put;
  }
  return copy;
}

function hidden(value: unknown, { mode, secret }: Redaction): string | undefined {
  if (mode === "omit" || value === undefined) return undefined;
  if (mode === "mask") return "[masked]";
  return keyedHash(secret, typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

/** Text without what jsonb refuses or changes (NUL, lone surrogates), cut where it is very long. */
export function storable(text: string, length = longest): string {
  const cut = text.length > length ? `${text.slice(0, length)}[${text.length - length} more]` : text;
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\u2400") : whole;
}
