import type { KeyObject } from "node:crypto";
import { stateOf } from "../core/database-errors.js";
import { keyedHash } from "./keyed-hash.js";
import { withoutQuotes, withoutSecrets } from "./secret-values.js";
import type { SensitiveNames } from "./sensitive-names.js";

/** Deeper, longer or more is cut, and the cut is told in its place. */
const deepest = 16;
const longest = 8_192;
const most = 1_000;
/** Values of one entry, each counted as often as it is reached, and the characters of them. */
const mostNodes = 10_000;
const mostCharacters = 1_000_000;
/** Text is searched for secrets this far beyond what is kept of it, so that none is cut in two and not known again. */
const margin = 4_096;
/** Shorter than any token, and without any sign between a name and a value. */
const tooPlain = /^[\w$.-]{0,15}$/;

export interface Redaction {
  readonly names: SensitiveNames;
  readonly mode: "omit" | "mask" | "hash";
  readonly secret: KeyObject | undefined;
}

/**
 * Copies what a caller gave for one entry to what JSON and PostgreSQL can hold, without what is sensitive by its name or its value,
 * at any depth. Never throws for any value; what cannot be kept is replaced by a word in brackets.
 */
export class Redactor {
  readonly #redaction: Redaction;
  #nodes = mostNodes;
  #characters = mostCharacters;
  #isTold = false;

  constructor(redaction: Redaction) {
    this.#redaction = redaction;
  }

  /** What was given as an object, of all that one entry is given: its bounds are those of the entry. */
  object(given: object | null | undefined): Record<string, unknown> {
    if (given === null || given === undefined) return {};
    const copy = this.#plain(given, 1, []);
    return typeof copy === "object" && copy !== null && !Array.isArray(copy)
      ? (copy as Record<string, unknown>)
      : { value: copy };
  }

  /** A text without the secrets in it. */
  text(text: string, length = longest): string {
    this.#characters -= Math.min(text.length, length);
    if (tooPlain.test(text)) return text;
    const seen = text.slice(0, length + margin);
    const clean = withoutSecrets(seen, (name) => this.#redaction.names.has(name));
    const more = text.length - seen.length + Math.max(0, clean.length - length);
    return storable(more > 0 ? `${clean.slice(0, length)}[${more} more]` : clean, Number.POSITIVE_INFINITY);
  }

  #plain(value: unknown, depth: number, open: readonly object[]): unknown {
    this.#nodes--;
    switch (typeof value) {
      case "string":
        return this.text(value);
      case "number":
        return Number.isFinite(value) ? value : String(value);
      case "boolean":
        return value;
      case "bigint":
        return this.text(String(value));
      case "object":
        return value === null ? null : this.#plainObject(value, depth, open);
      default:
        return undefined;
    }
  }

  #plainObject(value: object, depth: number, open: readonly object[]): unknown {
    try {
      if (open.includes(value)) return "[circular]";
      if (depth > deepest) return "[too deep]";
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
      if (value instanceof Error) return { name: storable(String(value.name)), message: this.text(messageOf(value)) };
      if (ArrayBuffer.isView(value)) return `[binary, ${value.byteLength} bytes]`;
      const inner = [...open, value];
      if (value instanceof Map) return this.#plainEntries(value.entries(), value.size, depth, inner);
      if (value instanceof Set) return this.#plainList(value, value.size, depth, inner);
      if (Array.isArray(value)) return this.#plainList(value as unknown[], value.length, depth, inner);
      if ("toJSON" in value && typeof value.toJSON === "function")
        return this.#plain((value.toJSON as () => unknown)(), depth + 1, inner);
      const keys = Object.keys(value);
      return this.#plainEntries(propertiesOf(value, keys), keys.length, depth, inner);
    } catch {
      return "[unreadable]";
    }
  }

  #plainList(items: Iterable<unknown>, size: number, depth: number, open: readonly object[]): unknown[] {
    const kept: unknown[] = [];
    for (const item of items) {
      const cut = this.#cut(kept.length, size);
      if (cut !== undefined) {
        if (cut !== null) kept.push(cut);
        break;
      }
      kept.push(this.#plain(item, depth + 1, open) ?? null);
    }
    return kept;
  }

  #plainEntries(
    entries: Iterable<[unknown, unknown]>,
    size: number,
    depth: number,
    open: readonly object[],
  ): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    let seen = 0;
    for (const [key, value] of entries) {
      const cut = this.#cut(seen++, size);
      if (cut !== undefined) {
        if (cut !== null) copy["[cut]"] = cut;
        break;
      }
      const name = this.text(String(key));
      const put = this.#redaction.names.has(name)
        ? this.#hidden(value, depth, open)
        : this.#plain(value, depth + 1, open);
      if (put === undefined) continue;
      // A key such as __proto__ must stay a key.
      if (name === "__proto__") Object.defineProperty(copy, name, { value: put, enumerable: true });
      else copy[name] = put;
    }
    return copy;
  }

  /** What stands for the rest of a list or an object: undefined if it goes on, null if it ends and was told of before. */
  #cut(seen: number, size: number): string | null | undefined {
    if (this.#nodes <= 0 || this.#characters <= 0) {
      if (this.#isTold) return null;
      this.#isTold = true;
      return "[the rest of the entry is left out: too much]";
    }
    return seen >= most ? `[${size - most} more]` : undefined;
  }

  #hidden(value: unknown, depth: number, open: readonly object[]): string | undefined {
    this.#nodes--;
    const { mode, secret } = this.#redaction;
    if (mode === "omit" || value === undefined) return undefined;
    if (mode === "mask") return "[masked]";
    if (typeof value === "string") return keyedHash(secret, value);
    return keyedHash(secret, JSON.stringify(this.#plain(value, depth + 1, open)) ?? "");
  }
}

/** One after the other: a getter behind the last that is kept is never called. */
function* propertiesOf(value: object, keys: readonly string[]): Generator<[string, unknown]> {
  for (const key of keys) yield [key, (value as Record<string, unknown>)[key]];
}

/** An error's message. A database that refuses a value says which: that is left out. */
export function messageOf(error: Error): string {
  const message = String(error.message);
  return stateOf(error)?.startsWith("22") ? withoutQuotes(message) : message;
}

/** Text without what jsonb refuses or changes (NUL, lone surrogates), cut where it is very long. */
export function storable(text: string, length = longest): string {
  const cut = text.length > length ? `${text.slice(0, length)}[${text.length - length} more]` : text;
  const whole = cut.isWellFormed() ? cut : cut.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\u2400") : whole;
}
