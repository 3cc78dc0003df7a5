import { listOf, Option, value } from "./option-checker.js";

/** The kinds that many options are of. None has a default of its own. */

export const trueOrFalse = value<boolean>("true or false", (given) => typeof given === "boolean");

export const abortSignal = value<AbortSignal>("an AbortSignal", (given) => given instanceof AbortSignal);

export function aFunction<F>(wanted = "a function"): Option<F | undefined> {
  return value<F>(wanted, (given) => typeof given === "function");
}

export function oneOf<const Word extends string>(...words: readonly Word[]): Option<Word | undefined> {
  const quoted = words.map((word) => `"${word}"`).join(", ");
  const wanted = quoted.replace(/, ("[^"]*")$/, " or $1");
  return value<Word>(wanted, (given) => words.includes(given as Word));
}

/** Text that is not empty: "a name", "a folder". */
export function text(wanted: string): Option<string | undefined> {
  return value<string>(wanted, (given) => typeof given === "string" && given !== "");
}

export const names = listOf("names", text("a name"));

/** What a column of text is compared with. */
export const word = value<string | number>("text or a number", (given) =>
  ["string", "number", "bigint"].includes(typeof given),
);

/** A whole number, from 0 or from 1. */
export function integer(from: 0 | 1, to = Number.MAX_SAFE_INTEGER): Option<number | undefined> {
  const least = from === 1 ? "a positive integer" : "a whole number from 0";
  const wanted = to === Number.MAX_SAFE_INTEGER ? least : `${least}${from === 1 ? " up" : ""} to ${to}`;
  return value<number>(wanted, (given) => Number.isInteger(given) && Number(given) >= from && Number(given) <= to);
}

/** How many of a list; Infinity for all. */
export const limit = value<number>(
  "a whole number from 0",
  (given) => given === Number.POSITIVE_INFINITY || (Number.isSafeInteger(given) && Number(given) >= 0),
);

/** A number of some unit, above 0. */
export function positive(unit: string, most = Number.MAX_VALUE): Option<number | undefined> {
  return value<number>(
    `a positive number of ${unit}${most === Number.MAX_VALUE ? "" : ` up to ${most}`}`,
    (given) => typeof given === "number" && given > 0 && given <= most,
  );
}

/** A number of some unit, from 0; Infinity for ever, where there is no most. */
export function amount(unit: string, most = Number.POSITIVE_INFINITY): Option<number | undefined> {
  return value<number>(
    `a number of ${unit} from 0${most === Number.POSITIVE_INFINITY ? "" : ` to ${most}`}`,
    (given) => typeof given === "number" && given >= 0 && given <= most,
  );
}

/** One of these, or a list of them; kept as it is. */
export function oneOrMore<T>(items: string, item: Option<T>): Option<T | readonly Exclude<T, undefined>[] | undefined> {
  const list = listOf(items, item);
  return new Option<T | readonly Exclude<T, undefined>[] | undefined>(
    `${item.wanted}, or a list of ${items}`,
    (given, at, find) => (Array.isArray(given) ? list.read(given, at, find) : item.read(given, at, find)),
  );
}

/** What is checked by whoever uses it, or may be anything. */
export function anything<T>(): Option<T | undefined> {
  return value<T>("anything", () => true);
}
