import { EventLogError } from "../src/core/errors.js";
import { refuseNoObject } from "../src/core/options.js";
import type { EntityReference } from "../src/log/tracked-tables.js";
import type { Progress } from "./progress.js";

export interface ReplayOptions {
  /**
   * How live is made what the log says: "difference" writes only rows that differ; "rebuild" deletes every row first (or calls
   * `replay.clear`) and inserts all anew, so that columns which the log does not have get their defaults. (Default: "difference")
   */
  readonly apply?: "difference" | "rebuild" | undefined;
  /** What to do with live rows that the log does not know. (Default: "refuse") */
  readonly unknownRows?: "refuse" | "keep" | "delete" | undefined;
  /** Only these entities, with the junction and closure tables that they own. (Default: all that are tracked) */
  readonly entities?: readonly EntityReference[] | undefined;
  /** Only the records of this tenant. (Default: all) */
  readonly tenant?: string | number | undefined;
  /** Check rebuilt rows against the class-validator decorators of their entities, before anything is written. (Default: false) */
  readonly validate?: boolean | undefined;
  /** Find out what a replay would do, and write nothing. (Default: false) */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the replay, also within a statement; live stays as it was. */
  readonly signal?: AbortSignal | undefined;
  /** How long to try for a moment without writers, in milliseconds. (Default: 30 000) */
  readonly lockTimeoutMs?: number | undefined;
}

interface Wanted {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const oneOf = (...words: readonly string[]): Wanted => ({
  expected: words.map((word) => `"${word}"`).join(" or "),
  fits: (value) => words.includes(value as string),
});
const aFunction: Wanted = { expected: "a function", fits: (value) => typeof value === "function" };
const trueOrFalse: Wanted = { expected: "true or false", fits: (value) => typeof value === "boolean" };

const wanted: Readonly<Record<keyof ReplayOptions, Wanted>> = {
  apply: oneOf("difference", "rebuild"),
  unknownRows: oneOf("refuse", "keep", "delete"),
  entities: {
    expected: "a list of entities that is not empty",
    fits: (value) => Array.isArray(value) && value.length > 0,
  },
  tenant: {
    expected: "a string that is not empty, or a number",
    fits: (value) => (typeof value === "string" && value !== "") || Number.isFinite(value),
  },
  validate: trueOrFalse,
  dryRun: trueOrFalse,
  onProgress: aFunction,
  signal: { expected: "an AbortSignal", fits: (value) => value instanceof AbortSignal },
  lockTimeoutMs: {
    expected: "a number of milliseconds from 0",
    fits: (value) => typeof value === "number" && value >= 0,
  },
};

/** Throws OPTIONS_INVALID for an option that is not known or has a wrong value. */
export function checkReplayCall(options: ReplayOptions): void {
  const keys = Object.keys(wanted);
  refuseNoObject("replay", options, `It takes ${keys.join(", ")}.`);
  for (const [key, value] of Object.entries(options)) {
    if (!keys.includes(key)) throw invalid(`unknown option ${key}`, `It takes ${keys.join(", ")}.`);
    const { expected, fits } = wanted[key as keyof ReplayOptions];
    if (value !== undefined && !fits(value))
      throw invalid(
        `expected ${key} to be ${expected}, got: ${typeof value === "object" ? "an object" : String(value)}`,
      );
  }
  if (options.apply === "rebuild" && options.tenant !== undefined) {
    throw invalid(
      "a tenant's rows cannot be rebuilt, because they share tables with others",
      'Leave out `apply: "rebuild"`.',
    );
  }
}

function invalid(message: string, hint = "See docs/options.md."): EventLogError {
  return new EventLogError("OPTIONS_INVALID", `replay: ${message}.`, { hint });
}
