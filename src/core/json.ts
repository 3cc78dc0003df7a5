import { EventLogError } from "./errors.js";

/** A value as JSON, with what limits are about. */
export interface MeasuredJson {
  readonly text: string;
  readonly bytes: number;
  readonly depth: number;
}

/** Deeper than any configurable limit: stops before the call stack does. */
const deepest = 1_000;

/**
 * The JSON text of a value that a caller gave, refused where JSON or jsonb would change or lose a part of it:
 * circular references, BigInt, NaN and Infinity, functions, symbols, NUL characters and lone surrogates.
 * `path` names the value in messages. Throws CONTEXT_INVALID or LIMIT_EXCEEDED.
 */
export function measuredJson(value: unknown, path: string): MeasuredJson {
  const open = new Set<object>();
  let depth = 0;

  function check(part: unknown, at: string, level: number): unknown {
    if (level > deepest) throw new EventLogError("LIMIT_EXCEEDED", `${path} is nested deeper than ${deepest} levels.`);
    switch (typeof part) {
      case "string":
        return checkText(part, at);
      case "number":
        if (!Number.isFinite(part)) throw refused(at, String(part));
        return part;
      case "boolean":
      case "undefined":
        return part;
      case "object":
        break;
      default:
        throw refused(at, `a ${typeof part}`);
    }
    if (part === null) return part;
    if (open.has(part)) throw refused(at, "a circular reference");
    open.add(part);
    depth = Math.max(depth, level);
    const plain = checkObject(part, at, level);
    open.delete(part);
    return plain;
  }

  function checkObject(part: object, at: string, level: number): unknown {
    if ("toJSON" in part && typeof part.toJSON === "function") {
      const made = (part.toJSON as () => unknown)();
      return made === part ? checkEntries(part, at, level) : check(made, at, level + 1);
    }
    if (Array.isArray(part)) return part.map((item, index) => check(item, `${at}[${index}]`, level + 1));
    if (part instanceof Map || part instanceof Set) throw refused(at, `a ${part.constructor.name}`);
    return checkEntries(part, at, level);
  }

  function checkEntries(part: object, at: string, level: number): unknown {
    return Object.fromEntries(
      Object.entries(part).map(([key, item]) => [checkText(key, at), check(item, `${at}.${key}`, level + 1)]),
    );
  }

  const text = JSON.stringify(check(value, path, 1)) ?? "null";
  return { text, bytes: Buffer.byteLength(text), depth };
}

function checkText(text: string, at: string): string {
  if (text.includes("\0")) throw refused(at, "a NUL character");
  if (/\p{Surrogate}/u.test(text)) throw refused(at, "a lone surrogate");
  return text;
}

function refused(at: string, what: string): EventLogError {
  return new EventLogError("CONTEXT_INVALID", `${at} holds ${what}, which JSON in PostgreSQL cannot keep.`);
}
