import "reflect-metadata";
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  type ValidationArguments,
  validateSync,
} from "class-validator";
import { EventLogError } from "./errors.js";
import { isLockKey, type KeyFor, lockArguments, type LockKey } from "./lock-key.js";

export type Capture = "trigger" | "subscriber";

/** Throw before the statement is sent, tell the DataSource's logger once per statement shape, or count only. */
export type Uncaptured = "warn" | "error" | "ignore";

export interface LockOptions {
  /** Exclusive makes position order equal commit order, one writer at a time. (Default: "shared") */
  readonly mode?: LockMode | undefined;
  /** Integers as they are, strings hashed to 64 bits. (Default: derived from database and schema) */
  readonly key?: LockKey | undefined;
  /** One's own key for each change, such as one per tenant; with subscriber capture only. (Default: none) */
  readonly keyFor?: KeyFor | undefined;
}

export type LockMode = "shared" | "exclusive";

/** The second argument of `withEventLog`, but for what replay is given. */
export interface CoreOptions {
  /** Who records: triggers see every write, the entity subscriber what TypeORM's hooks can show. (Default: "trigger") */
  readonly capture?: Capture | undefined;
  /** Under subscriber capture, what becomes of a write on a tracked table that hooks cannot show. (Default: "warn") */
  readonly uncaptured?: Uncaptured | undefined;
  /** The Postgres schema that holds the log. (Default: "chronicle") */
  readonly schema?: string | undefined;
  /** The advisory lock that every writer takes. (Default: shared, with a key derived from database and schema) */
  readonly lock?: LockOptions | undefined;
  /** Refuse a tracked write without an actor. (Default: false) */
  readonly requireActor?: boolean | undefined;
  readonly limits?:
    | {
        readonly metadataBytes?: number | undefined;
        readonly dataBytes?: number | undefined;
        readonly depth?: number | undefined;
      }
    | undefined;
  /** How far the database's clock may have gone back before a time is ambiguous, in seconds. (Default: 5) */
  readonly clockSkewSeconds?: number | undefined;
}

/** Options after they were checked: defaults filled in, frozen. */
export interface CheckedOptions {
  readonly capture: Capture;
  readonly uncaptured: Uncaptured;
  readonly schema: string;
  readonly lockMode: LockMode;
  readonly keyFor: KeyFor | undefined;
  /** The arguments of pg_advisory_xact_lock as SQL, or null for the derived key. */
  readonly lockArguments: string | null;
  readonly requireActor: boolean;
  readonly limits: { readonly metadataBytes: number; readonly dataBytes: number; readonly depth: number };
  readonly clockSkewSeconds: number;
}

/** A class-validator message: expected batch.size to be a positive integer, got: 0. */
export const expected = (wanted: string) => ({
  message: ({ property, value }: ValidationArguments) => `expected ${property} to be ${wanted}, got: ${show(value)}`,
});
export const positiveInteger = expected("a positive integer");

/** The database keeps these as an integer of 32 bits. */
const mostInt = 2_147_483_647;
const atMostInt = expected(`at most ${mostInt}`);
const mostSkewSeconds = 86_400;

class Limits {
  /** bytes of a request context as JSON */
  @IsInt(positiveInteger) @Min(1, positiveInteger) @Max(mostInt, atMostInt) metadataBytes = 65_536;
  /** bytes of one event's data and previous together */
  @IsInt(positiveInteger) @Min(1, positiveInteger) @Max(mostInt, atMostInt) dataBytes = 16_777_216;
  /** levels of nesting of a request context */
  @IsInt(positiveInteger) @Min(1, positiveInteger) @Max(mostInt, atMostInt) depth = 64;
}

class Lock {
  @IsIn(["shared", "exclusive"], expected('"shared" or "exclusive"')) mode: LockMode = "shared";
  @ValidateIf(({ key }: Lock) => key !== undefined && !isLockKey(key))
  @IsIn([], expected("a bigint, an integer, a string or a pair of 32-bit integers"))
  key?: unknown;
  @ValidateIf(({ keyFor }: Lock) => keyFor !== undefined && typeof keyFor !== "function")
  @IsIn([], expected("a function (change, context, key) => key"))
  keyFor?: KeyFor;
}

/** The database cuts longer names off. */
const isShort = (name: unknown) => typeof name === "string" && Buffer.byteLength(name) <= 63;

class Scalars {
  @IsIn(["trigger", "subscriber"], expected('"trigger" or "subscriber"')) capture: Capture = "trigger";
  @IsIn(["warn", "error", "ignore"], expected('"warn", "error" or "ignore"')) uncaptured: Uncaptured = "warn";
  @IsString(expected("a schema name"))
  @Matches(
    /^(?!pg_)[^\0'%$\\]+$/,
    expected("a schema name without quotes, %, $ or backslashes that does not begin with pg_"),
  )
  @ValidateBy({ name: "isShort", validator: { validate: isShort } }, expected("at most 63 bytes"))
  schema = "chronicle";
  @IsBoolean(expected("true or false")) requireActor = false;
  @IsNumber({}, expected("a number of seconds"))
  @Min(0, expected("a number of seconds from 0"))
  @Max(mostSkewSeconds, expected(`at most ${mostSkewSeconds} seconds, a day`))
  clockSkewSeconds = 5;
}

/** Throws OPTIONS_INVALID for what is no object of options at all. */
export function refuseNoObject(call: string, given: unknown, hint?: string): void {
  if (isRecord(given)) return;
  const message = `${call}: expected the options to be an object, got: ${show(given)}.`;
  throw new EventLogError("OPTIONS_INVALID", message, { hint });
}

/** Options that mean the same in every call that takes them. */
const kinds: Readonly<Record<string, readonly [string, (value: unknown) => boolean]>> = {
  signal: ["an AbortSignal", (value) => value instanceof AbortSignal],
  onProgress: ["a function", (value) => typeof value === "function"],
  onDifference: ["a function", (value) => typeof value === "function"],
  dryRun: ["true or false", (value) => typeof value === "boolean"],
  sensitive: ["true or false", (value) => typeof value === "boolean"],
  columns: [
    "a list of names",
    (value) => Array.isArray(value) && value.every((name: unknown) => typeof name === "string"),
  ],
};

/**
 * Throws OPTIONS_INVALID where a call is given what it does not take, for a mistyped option would be no option at all, and where
 * an option that many calls share is not what it should be.
 */
export function refuseUnknownOptions(call: string, options: unknown, known: readonly string[]): void {
  const hint = `It takes ${known.join(", ")}.`;
  refuseNoObject(call, options, hint);
  for (const [key, value] of Object.entries(options as object)) {
    if (!known.includes(key)) throw new EventLogError("OPTIONS_INVALID", `${call}: unknown option ${key}.`, { hint });
    const [wanted, fits] = kinds[key] ?? ["", () => true];
    if (value !== undefined && !fits(value))
      throw new EventLogError("OPTIONS_INVALID", `${call}: expected ${key} to be ${wanted}, got: ${show(value)}.`);
  }
}

/**
 * Checks what a caller gave, once: unknown keys, wrong types and values out of range are told in one readable list.
 * Throws OPTIONS_INVALID.
 */
export function checkOptions(given: CoreOptions): CheckedOptions {
  const { limits, lock, ...rest } = given;
  const findings: string[] = [];
  const scalars = fill(new Scalars(), rest, "", findings, [], ["lock", "limits", "replay", "activity"]);
  const checkedLimits = fill(new Limits(), limits ?? {}, "limits.", findings);
  const checkedLock = fill(new Lock(), lock ?? {}, "lock.", findings, ["key", "keyFor"]);
  if (checkedLock.keyFor !== undefined && scalars.capture === "trigger")
    findings.push('expected lock.keyFor only with capture: "subscriber", since triggers cannot ask it');
  if (findings.length > 0)
    throw new EventLogError("OPTIONS_INVALID", `${findings.join("; ")}.`, { details: { findings } });
  return Object.freeze({
    capture: scalars.capture,
    uncaptured: scalars.uncaptured,
    schema: scalars.schema,
    lockMode: checkedLock.mode,
    keyFor: checkedLock.keyFor,
    lockArguments: checkedLock.key === undefined ? null : lockArguments(checkedLock.key as LockKey),
    requireActor: scalars.requireActor,
    limits: Object.freeze(checkedLimits),
    clockSkewSeconds: scalars.clockSkewSeconds,
  });
}

/** A copy of the defaults with what was given on top (but for what is checked elsewhere), its findings added to the list under their full path. */
export function fill<T extends object>(
  defaults: T,
  given: unknown,
  path: string,
  findings: string[],
  optional: readonly string[] = [],
  elsewhere: readonly string[] = [],
): T {
  if (!isRecord(given)) {
    findings.push(`expected ${path.slice(0, -1)} to be an object, got: ${show(given)}`);
    return defaults;
  }
  const known = [...Object.keys(defaults), ...optional];
  for (const [key, value] of Object.entries(given)) {
    if (!known.includes(key))
      findings.push(
        `unknown option ${path}${key} (known: ${[...known, ...elsewhere].map((name) => path + name).join(", ")})`,
      );
    else if (value !== undefined) (defaults as Record<string, unknown>)[key] = value;
  }
  for (const { constraints = {} } of validateSync(defaults, { stopAtFirstError: true, forbidUnknownValues: false })) {
    findings.push(...Object.values(constraints).map((message) => message.replace("expected ", `expected ${path}`)));
  }
  return defaults;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return String(value);
  return typeof value === "function" ? "a function" : (JSON.stringify(value) ?? String(value));
}
