import { type OptionsOf, section, value } from "../src/core/option-checker.js";
import { abortSignal, aFunction, amount, oneOf, trueOrFalse } from "../src/core/option-kinds.js";
import { type EntityReference, someEntities } from "../src/log/tracked-tables.js";
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

const tenant = value<string | number>(
  "a string that is not empty, or a number",
  (given) => (typeof given === "string" && given !== "") || Number.isFinite(given),
);

export const replayOptions = section({
  apply: oneOf("difference", "rebuild").byDefault("difference"),
  unknownRows: oneOf("refuse", "keep", "delete").byDefault("refuse"),
  entities: someEntities,
  tenant,
  validate: trueOrFalse.byDefault(false),
  dryRun: trueOrFalse.byDefault(false),
  onProgress: aFunction(),
  signal: abortSignal,
  lockTimeoutMs: amount("milliseconds").byDefault(30_000),
} satisfies OptionsOf<ReplayOptions>).also(({ apply, tenant }, wrong) => {
  if (apply === "rebuild" && tenant !== undefined)
    wrong("apply", `"difference" for a tenant, whose rows share tables with others`, apply);
});

export type CheckedReplayOptions = ReturnType<typeof replayOptions.read>;
