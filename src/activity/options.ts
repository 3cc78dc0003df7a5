import { createSecretKey, type KeyObject } from "node:crypto";
import { IsBoolean, IsIn, IsInt, IsString, Max, Min, ValidateIf } from "class-validator";
import { EventLogError } from "../core/errors.js";
import { expected, fill, isRecord, positiveInteger, show } from "../core/options.js";
import { checkSink, type SinkOption } from "../sinks/options.js";
import { type AlertOptions, checkAlerts, type CheckedAlertOptions } from "./alert-options.js";
import { type Find, isNames } from "./findings.js";
import { findUnknown } from "./selection.js";
import { compiledTrust, type TrustProxy } from "./trust-proxy.js";

export interface ClientOptions {
  /** (Default: 16 384) */
  readonly maxBytes?: number | undefined;
  /** Entries of one actor or address. (Default: 60) */
  readonly perMinute?: number | undefined;
}

export type AccessAction = "read" | "export" | "cleanup";

/** The `activity` option of `withEventLog`. */
export interface ActivityOptions {
  /** (Default: true) */
  readonly enabled?: boolean | undefined;
  /** Entries wait for one another: this many, or this long. false writes each at once. (Default: 100, 10 000) */
  readonly batch?: false | { readonly size?: number | undefined; readonly intervalMs?: number | undefined } | undefined;
  /** Entries that wait at most, per sink; more are dropped and counted. (Default: 10 000) */
  readonly queue?: number | undefined;
  /** A folder in which what waits for the database survives the process. (Default: none) */
  readonly spool?: string | undefined;
  /** Write what waits on SIGTERM and SIGINT, then end. (Default: false) */
  readonly flushOnSignals?: boolean | undefined;
  /** (Default: 90) */
  readonly retentionDays?: number | "forever" | undefined;
  readonly ipPrivacy?: "none" | "hash" | "truncate" | "exclude" | undefined;
  /** The key of every keyed hash, at least 16 characters. */
  readonly ipSecret?: string | undefined;
  /** (Default: 24) */
  readonly ipv4TruncationMask?: number | undefined;
  /** (Default: 48) */
  readonly ipv6TruncationMask?: number | undefined;
  /** As Express has it: true, a number of hops, addresses, subnets, a function. (Default: false) */
  readonly trustProxy?: TrustProxy | undefined;
  /** What becomes of sensitive values. (Default: "omit") */
  readonly sensitive?: "omit" | "mask" | "hash" | undefined;
  /** Names that are kept although they look sensitive. (Default: none) */
  readonly includeFields?: readonly string[] | undefined;
  /**
   * The actions and strategies that the application has, wildcards with `*`: a name in one of the lists below that is none of them
   * is an error, one that is recorded is kept and warned of. (Default: not told, so any name may be right)
   */
  readonly actions?: readonly string[] | undefined;
  readonly strategies?: readonly string[] | undefined;
  /** Wildcards with `*`; include first, then exclude. (Default: all) */
  readonly includeActions?: readonly string[] | undefined;
  readonly excludeActions?: readonly string[] | undefined;
  readonly includeStrategies?: readonly string[] | undefined;
  readonly excludeStrategies?: readonly string[] | undefined;
  /** false keeps a resource's key as a keyed hash only. (Default: true) */
  readonly sensitiveKeys?: boolean | undefined;
  /** (Default: ["database"]) */
  readonly sinks?: readonly SinkOption[] | undefined;
  readonly alerts?: false | AlertOptions | undefined;
  /** Lets front ends record through `clientHandler()`. (Default: false) */
  readonly client?: boolean | ClientOptions | undefined;
  /** Who may read, export and clean up over HTTP. (Default: nobody) */
  readonly authorize?: ((action: AccessAction, user: unknown) => boolean | Promise<boolean>) | undefined;
}

/** Options after they were checked: defaults filled in, frozen. */
export interface CheckedActivityOptions extends CheckedAlertOptions {
  readonly enabled: boolean;
  readonly batch: { readonly size: number; readonly intervalMs: number };
  readonly queue: number;
  readonly spool: string | undefined;
  readonly flushOnSignals: boolean;
  /** null for ever */
  readonly retentionDays: number | null;
  readonly ipPrivacy: "none" | "hash" | "truncate" | "exclude";
  readonly secret: KeyObject | undefined;
  readonly ipv4TruncationMask: number;
  readonly ipv6TruncationMask: number;
  readonly trustProxy: TrustProxy;
  readonly sensitive: "omit" | "mask" | "hash";
  readonly includeFields: readonly string[];
  readonly actions: readonly string[] | undefined;
  readonly strategies: readonly string[] | undefined;
  readonly includeActions: readonly string[] | undefined;
  readonly excludeActions: readonly string[];
  readonly includeStrategies: readonly string[] | undefined;
  readonly excludeStrategies: readonly string[];
  readonly sensitiveKeys: boolean;
  readonly sinks: readonly SinkOption[];
  readonly client: { readonly maxBytes: number; readonly perMinute: number } | undefined;
  readonly authorize: ((action: AccessAction, user: unknown) => boolean | Promise<boolean>) | undefined;
}

const modes = ["none", "hash", "truncate", "exclude"];
const trueOrFalse = expected("true or false");

class Scalars {
  @IsBoolean(trueOrFalse) enabled = true;
  /** entries per sink */
  @IsInt(positiveInteger) @Min(1, positiveInteger) queue = 10_000;
  @IsBoolean(trueOrFalse) flushOnSignals = false;
  @IsIn(modes, expected('"none", "hash", "truncate" or "exclude"')) ipPrivacy = "none";
  @IsInt(expected("0 to 32")) @Min(0, expected("0 to 32")) @Max(32, expected("0 to 32")) ipv4TruncationMask = 24;
  @IsInt(expected("0 to 128")) @Min(0, expected("0 to 128")) @Max(128, expected("0 to 128")) ipv6TruncationMask = 48;
  @IsIn(["omit", "mask", "hash"], expected('"omit", "mask" or "hash"')) sensitive = "omit";
  @IsBoolean(trueOrFalse) sensitiveKeys = true;
  @ValidateIf(({ spool }: Scalars) => spool !== undefined) @IsString(expected("a folder")) spool?: string;
  @ValidateIf(({ retentionDays }: Scalars) => !isRetention(retentionDays))
  @IsIn([], expected('a positive number of days or "forever"'))
  retentionDays: unknown = 90;
  @ValidateIf(({ ipSecret }: Scalars) => ipSecret !== undefined && !isSecret(ipSecret))
  @IsIn([], { message: "expected ipSecret to be at least 16 characters (it is not repeated here)" })
  ipSecret?: unknown;
}

class Batch {
  @IsInt(positiveInteger) @Min(1, positiveInteger) size = 100;
  /** milliseconds */
  @IsInt(positiveInteger) @Min(1, positiveInteger) intervalMs = 10_000;
}

class Client {
  @IsInt(positiveInteger) @Min(1, positiveInteger) maxBytes = 16_384;
  @IsInt(positiveInteger) @Min(1, positiveInteger) perMinute = 60;
}

const lists: readonly (keyof ActivityOptions)[] = [
  "includeFields",
  "actions",
  "strategies",
  "includeActions",
  "excludeActions",
  "includeStrategies",
  "excludeStrategies",
];

/** Checks what a caller gave, once; every finding in one list. Throws OPTIONS_INVALID. */
export function checkActivityOptions(given: ActivityOptions = {}): CheckedActivityOptions {
  const findings: string[] = [];
  const find: Find = (what, wanted, got) =>
    void findings.push(`expected activity.${what} to be ${wanted}, got: ${show(got)}`);
  if (!isRecord(given)) {
    throw new EventLogError("OPTIONS_INVALID", `expected activity to be an object, got: ${show(given)}.`);
  }
  const options: ActivityOptions = given;
  const { batch, trustProxy = false, sinks = ["database"], alerts = {}, client = false, authorize, ...rest } = options;
  const scalars = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !lists.includes(key as keyof ActivityOptions)),
  );
  const checked = fill(new Scalars(), scalars, "activity.", findings, ["spool", "ipSecret"]);
  const checkedBatch =
    batch === false ? { size: 1, intervalMs: 1 } : fill(new Batch(), batch ?? {}, "activity.batch.", findings);
  for (const name of lists) {
    const list = options[name] as unknown;
    if (list !== undefined && !isNames(list)) find(name, "a list of names", list);
  }
  if (findings.length === 0) findUnknown(options, find);
  if (!["boolean", "number", "string", "function"].includes(typeof trustProxy) && !isNames(trustProxy))
    find("trustProxy", "true, false, hops, addresses or a function", trustProxy);
  else {
    try {
      compiledTrust(trustProxy);
    } catch {
      find("trustProxy", "made of addresses, subnets and the names that Express knows", trustProxy);
    }
  }
  if (authorize !== undefined && typeof authorize !== "function") find("authorize", "a function", authorize);
  if (!Array.isArray(sinks)) find("sinks", "a list", sinks);
  else for (const [index, sink] of sinks.entries()) checkSink(sink, `sinks[${index}]`, find);
  const { rules, signInActions, onAlert } = checkAlerts(alerts, findings, find);
  const checkedClient =
    client === false
      ? undefined
      : Object.freeze(fill(new Client(), client === true ? {} : client, "activity.client.", findings));
  const hashes = checked.ipPrivacy === "hash" || checked.sensitive === "hash" || !checked.sensitiveKeys;
  if (hashes && checked.ipSecret === undefined)
    find("ipSecret", 'given with ipPrivacy "hash", sensitive "hash" or sensitiveKeys false', undefined);
  if (findings.length > 0)
    throw new EventLogError("OPTIONS_INVALID", `${findings.join("; ")}.`, { details: { findings } });
  const { includeFields = [], excludeActions = [], excludeStrategies = [] } = options;
  return Object.freeze({
    enabled: checked.enabled,
    batch: Object.freeze({ size: checkedBatch.size, intervalMs: checkedBatch.intervalMs }),
    queue: checked.queue,
    spool: checked.spool,
    flushOnSignals: checked.flushOnSignals,
    retentionDays: checked.retentionDays === "forever" ? null : (checked.retentionDays as number),
    ipPrivacy: checked.ipPrivacy as CheckedActivityOptions["ipPrivacy"],
    // A KeyObject shows itself to nobody, whoever prints the options.
    secret: checked.ipSecret === undefined ? undefined : createSecretKey(checked.ipSecret as string, "utf8"),
    ipv4TruncationMask: checked.ipv4TruncationMask,
    ipv6TruncationMask: checked.ipv6TruncationMask,
    trustProxy,
    sensitive: checked.sensitive as CheckedActivityOptions["sensitive"],
    includeFields: [...includeFields],
    actions: options.actions,
    strategies: options.strategies,
    includeActions: options.includeActions,
    excludeActions: [...excludeActions],
    includeStrategies: options.includeStrategies,
    excludeStrategies: [...excludeStrategies],
    sensitiveKeys: checked.sensitiveKeys,
    sinks: [...sinks],
    signInActions,
    rules,
    onAlert,
    client: checkedClient,
    authorize,
  });
}

function isRetention(value: unknown): boolean {
  return value === "forever" || (typeof value === "number" && value > 0 && Number.isFinite(value));
}

function isSecret(value: unknown): boolean {
  return typeof value === "string" && value.length >= 16;
}
