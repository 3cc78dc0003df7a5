import { nearest } from "./nearest.js";
import { EventLogError } from "./errors.js";

/** Takes what is wrong with an option, and the way out where it is known. */
type Find = (finding: string, hint?: string) => void;

/** Says of an option that it was expected to be something else. */
export type Wrong = (name: string, wanted: string, got: unknown) => void;

/**
 * What one option may be. Every list of options is made of these, and `checkOptions` reads what a caller gave by such a list:
 * values are read once and copied, so nobody changes them behind the check.
 */
export class Option<T> {
  constructor(
    /** The words for it, as in "expected limit to be a whole number from 0". */
    readonly wanted: string,
    /** The value as it is kept; `at` is the path that the caller knows it by. */
    readonly read: (given: unknown, at: string, find: Find) => T,
    /** The way out where it is something else. */
    private readonly hint?: string | undefined,
  ) {}

  /** What stands for an option that is not given; it is read as if it were. */
  byDefault(value: unknown): Option<Exclude<T, undefined>> {
    return new Option(this.wanted, (given, at, find) => {
      return this.read(given === undefined ? value : given, at, find) as Exclude<T, undefined>;
    });
  }

  required(): Option<Exclude<T, undefined>> {
    return new Option(this.wanted, (given, at, find) => {
      if (given !== undefined) return this.read(given, at, find) as Exclude<T, undefined>;
      find(expected(at, this.wanted, given), this.hint);
      return undefined as never;
    });
  }

  /** A word that stands for something longer: `false` for a batch of one. */
  meaning(word: boolean, longer: unknown): Option<T> {
    return new Option(this.wanted, (given, at, find) => this.read(given === word ? longer : given, at, find));
  }

  orFalse(): Option<T | false> {
    return new Option<T | false>(this.wanted, (given, at, find) => given !== false && this.read(given, at, find));
  }

  /** Either this, or an object. */
  orObject<O>(section: Option<O>): Option<T | O> {
    return new Option<T | O>(`${this.wanted} or an object`, (given, at, find) =>
      isObject(given) ? section.read(given, at, find) : this.read(given, at, find),
    );
  }

  /** A rule about more than one option, asked when each of them is right by itself. */
  also(rule: (value: T, wrong: Wrong) => void): Option<T> {
    return this.#whenRight((value, at, find) => {
      rule(value, (name, wanted, got) => find(expected(join(at, name), wanted, got)));
      return value;
    });
  }

  /** What is kept in its place once it was found right. */
  as<U>(make: (value: T) => U): Option<U> {
    return this.#whenRight(make);
  }

  #whenRight<U>(next: (value: T, at: string, find: Find) => U): Option<U> {
    return new Option(this.wanted, (given, at, find) => {
      let isRight = true;
      const value = this.read(given, at, (...finding) => {
        isRight = false;
        find(...finding);
      });
      return isRight ? next(value, at, find) : (undefined as U);
    });
  }
}

/** The list that checks the options `O`: one for each, so that none of them is forgotten. */
export type OptionsOf<O> = { readonly [Name in keyof O]-?: Option<O[Name] | undefined> };

/** What a list of options comes to: defaults filled in, frozen. */
export type Checked<Fields> = { readonly [Name in keyof Fields]: Fields[Name] extends Option<infer T> ? T : never };

/** A value that is kept as it is. A hidden one is never repeated in an error. (Default: not given) */
export function value<T>(
  wanted: string,
  fits: (given: unknown) => boolean,
  { isHidden = false, hint }: { isHidden?: boolean; hint?: string } = {},
): Option<T | undefined> {
  const read = (given: unknown, at: string, find: Find) => {
    if (given !== undefined && !fits(given))
      find(isHidden ? `expected ${at} to be ${wanted} (it is not repeated here)` : expected(at, wanted, given), hint);
    return given as T | undefined;
  };
  return new Option(wanted, read, hint);
}

/** A list of which each item is such an option. (Default: not given) */
export function listOf<T>(
  items: string,
  item: Option<T>,
  { mayBeEmpty = true } = {},
): Option<readonly Exclude<T, undefined>[] | undefined> {
  const wanted = `a list of ${items}${mayBeEmpty ? "" : " that is not empty"}`;
  const each = item.required();
  return new Option(wanted, (given, at, find) => {
    if (given === undefined) return undefined;
    if (Array.isArray(given) && (mayBeEmpty || given.length > 0))
      return Object.freeze(Array.from(given, (one, index) => each.read(one, `${at}[${index}]`, find)));
    find(expected(at, wanted, given));
    return undefined;
  });
}

/** Options in an object; required unless it has a default, such as `{}`. */
export function section<Fields extends Readonly<Record<string, Option<unknown>>>>(
  fields: Fields,
): Option<Checked<Fields>> {
  const names = Object.keys(fields);
  return new Option("an object", (given, at, find) => {
    if (!isObject(given)) {
      find(expected(at, "an object", given), takes(at, names));
      return {} as Checked<Fields>;
    }
    for (const name of Object.keys(given))
      if (!names.includes(name)) find(`unknown option ${show(join(at, name))}`, meant(at, name, names));
    const checked = names.map((name) => {
      const path = join(at, name);
      return [name, fields[name]?.read(ownValue(given, name, path, find), path, find)] as const;
    });
    const defined = checked.filter(([, value]) => value !== undefined);
    return Object.freeze(Object.fromEntries(defined)) as Checked<Fields>;
  });
}

/**
 * What a call was given, by its list of options: defaults filled in, frozen. Throws OPTIONS_INVALID with everything that is
 * wrong, for a mistyped option would be no option at all.
 */
export function checkOptions<T>(call: string, given: unknown, wanted: Option<T>): T {
  const findings: string[] = [];
  const hints = new Set<string>();
  const checked = wanted.read(given, "", (finding, hint) => {
    findings.push(finding);
    if (hint !== undefined) hints.add(hint);
  });
  if (findings.length === 0) return checked;
  throw new EventLogError("OPTIONS_INVALID", `${call}: ${findings.join("; ")}.`, {
    hint: hints.size === 0 ? undefined : [...hints].join(" "),
    details: { findings },
  });
}

/** What it is, in a few words: of an object or a list never what it holds, which may be a secret. */
export function show(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.length > 100 ? `${given.slice(0, 100)}…` : given);
  if (typeof given === "bigint") return `${given}n`;
  if (typeof given === "function") return "a function";
  if (typeof given !== "object" || given === null) return String(given);
  if (Array.isArray(given)) return "a list";
  const tag = tagOf(given);
  return tag === "Object" ? "an object" : `${/^[AEIOU]/.test(tag) ? "an" : "a"} ${tag}`;
}

/** Neither a list nor a Date, nor the Promise of options that somebody forgot to await. */
function isObject(given: unknown): given is object {
  return typeof given === "object" && given !== null && tagOf(given) === "Object";
}

function tagOf(given: object): string {
  return Object.prototype.toString.call(given).slice("[object ".length, -1);
}

/** What stands in the options themselves: no prototype's value, and no getter, which could answer otherwise the next time. */
function ownValue(given: object, name: string, at: string, find: Find): unknown {
  const own = Object.getOwnPropertyDescriptor(given, name);
  if (own !== undefined && "value" in own) return own.value;
  if (own !== undefined || name in given)
    find(
      `expected ${at} to be a value in the options, got: ${own === undefined ? "one of their prototype" : "a getter"}`,
    );
  return undefined;
}

function expected(at: string, wanted: string, got: unknown): string {
  return `expected ${at || "the options"} to be ${wanted}, got: ${show(got)}`;
}

function meant(at: string, name: string, names: readonly string[]): string {
  const found = nearest(name, names);
  return found === undefined ? takes(at, names) : `Did you mean "${join(at, found)}"?`;
}

function takes(at: string, names: readonly string[]): string {
  return `${at === "" ? "It" : at} takes ${names.length === 0 ? "no options" : names.join(", ")}.`;
}

function join(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}
