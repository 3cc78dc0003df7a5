import { isLockKey, type KeyFor, lockArguments, type LockKey } from "./lock-key.js";
import { type Checked, type Option, type OptionsOf, section, value, type Wrong } from "./option-checker.js";
import { aFunction, amount, integer, oneOf, trueOrFalse } from "./option-kinds.js";
import { contextOptions, type ContextOptions } from "./signed-context.js";

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
  /**
   * How long a tracked write waits for this lock before it is refused, in milliseconds: for this lock alone. (Default:
   * as long as it takes, or the session's lock_timeout)
   */
  readonly timeoutMs?: number | undefined;
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
  /** Signs request contexts, so that injected SQL cannot say that somebody else acts. (Default: {}) */
  readonly context?: ContextOptions | undefined;
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

/** The database keeps these as an integer of 32 bits. */
const mostInt = 2_147_483_647;
/** Twice as much is what readers still get whole. */
const mostDataBytes = 67_108_864;
const daySeconds = 86_400;

/** It stands in SQL and in LISTEN as it is, and the database cuts longer names off. */
const schemaName = value<string>(
  "a schema name of at most 63 bytes, without quotes, %, $ or backslashes, that does not begin with pg_",
  (given) => typeof given === "string" && /^(?!pg_)[^\0'%$\\]+$/.test(given) && Buffer.byteLength(given) <= 63,
);

export const coreOptions = {
  capture: oneOf("trigger", "subscriber").byDefault("trigger"),
  uncaptured: oneOf("warn", "error", "ignore").byDefault("warn"),
  schema: schemaName.byDefault("chronicle"),
  lock: section({
    mode: oneOf("shared", "exclusive").byDefault("shared"),
    key: value<LockKey>("a bigint, an integer, a string or a pair of 32-bit integers", isLockKey),
    keyFor: aFunction<KeyFor>("a function (change, context, key) => key"),
    timeoutMs: integer(1, mostInt),
  } satisfies OptionsOf<LockOptions>)
    .as(({ key, ...lock }) => Object.freeze({ ...lock, arguments: key === undefined ? null : lockArguments(key) }))
    .byDefault({}),
  requireActor: trueOrFalse.byDefault(false),
  context: contextOptions.byDefault({}),
  limits: section({
    /** bytes of a request context as JSON */
    metadataBytes: integer(1, mostInt).byDefault(65_536),
    /** bytes of one event's data and previous together */
    dataBytes: integer(1, mostDataBytes).byDefault(16_777_216),
    /** levels of nesting of a request context */
    depth: integer(1, mostInt).byDefault(64),
  } satisfies OptionsOf<NonNullable<CoreOptions["limits"]>>).byDefault({}),
  clockSkewSeconds: amount("seconds", daySeconds).byDefault(5),
} satisfies Record<keyof CoreOptions, Option<unknown>>;

/** The same after they were checked; `lock.arguments` are those of pg_advisory_xact_lock, null for the derived key. */
export type CheckedOptions = Checked<typeof coreOptions>;

export function refuseKeyForTriggers({ capture, lock }: CheckedOptions, wrong: Wrong): void {
  if (lock.keyFor !== undefined && capture === "trigger")
    wrong("lock.keyFor", 'given only with capture: "subscriber", since triggers cannot ask it', lock.keyFor);
}
