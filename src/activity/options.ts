import { createSecretKey, type KeyObject } from "node:crypto";
import { IsBoolean, IsIn, IsInt, IsString, Max, Min, ValidateIf } from "class-validator";
import { outcomes, severities, type Outcome, type Severity } from "../../entities/activity.js";
import { EventLogError } from "../core/errors.js";
import { expected, fill, isRecord, positiveInteger, show } from "../core/options.js";
import type { ActivityEntry } from "./entry.js";
import { compiledTrust, type TrustProxy } from "./trust-proxy.js";

export interface FileSinkOptions {
  readonly folder: string;
  /** A file this large is closed and another begun. (Default: 100) */
  readonly rotationSizeMb?: number | undefined;
  /** (Default: 30) */
  readonly keepDays?: number | undefined;
}

export interface WebhookSinkOptions {
  readonly url: string;
  /** Of Standard Webhooks: base64, with or without `whsec_`. */
  readonly secret: string;
  /** The lowest severity sent. (Default: "warning") */
  readonly severity?: Severity | undefined;
  /** Requests beside the first, before the batch goes back to the queue. (Default: 3) */
  readonly retries?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** Allow addresses of private networks and of this machine. (Default: false) */
  readonly allowPrivate?: boolean | undefined;
}

export type SinkOption =
  | "database"
  | { readonly file: FileSinkOptions }
  | { readonly webhook: WebhookSinkOptions }
  | { readonly name: string; readonly write: (batch: readonly ActivityEntry[]) => Promise<void> }
  | ((batch: readonly ActivityEntry[]) => Promise<void>);

/** Which entries count, and by what they are counted. */
export interface AlertRule {
  readonly name: string;
  readonly filter: {
    readonly action?: string | readonly string[] | undefined;
    readonly outcome?: Outcome | undefined;
    readonly severity?: Severity | undefined;
    readonly category?: string | undefined;
    readonly strategy?: string | undefined;
    readonly source?: "server" | "client" | undefined;
  };
  /** Counted per address, actor, subject or tenant; else together. (Default: together) */
  readonly by?: "ip" | "actor" | "subject" | "tenant" | undefined;
  readonly threshold: number;
  readonly windowSeconds: number;
}

export interface Alert {
  readonly name: string;
  readonly by: AlertRule["by"] | null;
  /** The address, actor, subject or tenant that was counted. */
  readonly value: string | null;
  readonly count: number;
  readonly threshold: number;
  readonly windowSeconds: number;
  /** The alert as an entry of the log. */
  readonly entry: ActivityEntry;
}

export interface AlertOptions {
  /** What a sign-in is called. (Default: ["sign_in"]) */
  readonly signInActions?: readonly string[] | undefined;
  /** Failed sign-ins of one address; 0 for none. (Default: 10) */
  readonly failuresPerAddress?: number | undefined;
  /** Failed sign-ins of one actor or subject; 0 for none. (Default: 5) */
  readonly failuresPerSubject?: number | undefined;
  /** (Default: 300) */
  readonly windowSeconds?: number | undefined;
  readonly rules?: readonly AlertRule[] | undefined;
  readonly onAlert?: ((alert: Alert) => void | Promise<void>) | undefined;
}

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
export interface CheckedActivityOptions {
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
  readonly includeActions: readonly string[] | undefined;
  readonly excludeActions: readonly string[];
  readonly includeStrategies: readonly string[] | undefined;
  readonly excludeStrategies: readonly string[];
  readonly sensitiveKeys: boolean;
  readonly sinks: readonly SinkOption[];
  readonly signInActions: readonly string[];
  readonly rules: readonly AlertRule[];
  readonly onAlert: ((alert: Alert) => void | Promise<void>) | undefined;
  readonly client: { readonly maxBytes: number; readonly perMinute: number } | undefined;
  readonly authorize: ((action: AccessAction, user: unknown) => boolean | Promise<boolean>) | undefined;
}

const modes = ["none", "hash", "truncate", "exclude"];
const seconds = expected("a positive number of seconds");
const trueOrFalse = expected("true or false");
const count = expected("a whole number from 0");

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

class Alerts {
  @IsInt(count) @Min(0, count) failuresPerAddress = 10;
  @IsInt(count) @Min(0, count) failuresPerSubject = 5;
  @IsInt(seconds) @Min(1, seconds) windowSeconds = 300;
}

class Client {
  @IsInt(positiveInteger) @Min(1, positiveInteger) maxBytes = 16_384;
  @IsInt(positiveInteger) @Min(1, positiveInteger) perMinute = 60;
}

const lists = ["includeFields", "includeActions", "excludeActions", "includeStrategies", "excludeStrategies"] as const;

/** Checks what a caller gave, once; every finding in one list. Throws OPTIONS_INVALID. */
export function checkActivityOptions(given: ActivityOptions = {}): CheckedActivityOptions {
  const findings: string[] = [];
  const find = (what: string, wanted: string, got: unknown) =>
    void findings.push(`expected activity.${what} to be ${wanted}, got: ${show(got)}`);
  if (!isRecord(given)) {
    throw new EventLogError("OPTIONS_INVALID", `expected activity to be an object, got: ${show(given)}.`);
  }
  const options: ActivityOptions = given;
  const { batch, trustProxy = false, sinks = ["database"], alerts = {}, client = false, authorize, ...rest } = options;
  const scalars = Object.fromEntries(Object.entries(rest).filter(([key]) => !lists.includes(key as "includeFields")));
  const checked = fill(new Scalars(), scalars, "activity.", findings, ["spool", "ipSecret"]);
  const checkedBatch =
    batch === false ? { size: 1, intervalMs: 1 } : fill(new Batch(), batch ?? {}, "activity.batch.", findings);
  for (const name of lists) {
    const list = options[name] as unknown;
    if (list !== undefined && !isNames(list)) find(name, "a list of names", list);
  }
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

type Find = (what: string, wanted: string, got: unknown) => void;

function checkSink(sink: unknown, at: string, find: Find): void {
  if (sink === "database" || typeof sink === "function") return;
  const { file, webhook, name, write } = isRecord(sink) ? sink : {};
  const known = ["file", "webhook", "name", "write"];
  for (const key of isRecord(sink) ? Object.keys(sink) : [])
    if (!known.includes(key)) find(at, "made of known keys", key);
  if (typeof name === "string" && typeof write === "function") return;
  if (isRecord(file)) {
    onlyKeys(file, ["folder", "rotationSizeMb", "keepDays"], `${at}.file`, find);
    if (typeof file.folder !== "string" || file.folder === "") find(`${at}.file.folder`, "a folder", file.folder);
    for (const key of ["rotationSizeMb", "keepDays"])
      if (file[key] !== undefined && !(Number.isInteger(file[key]) && Number(file[key]) > 0))
        find(`${at}.file.${key}`, "a positive integer", file[key]);
  } else if (isRecord(webhook)) {
    onlyKeys(webhook, ["url", "secret", "severity", "retries", "timeoutMs", "allowPrivate"], `${at}.webhook`, find);
    if (typeof webhook.url !== "string" || !/^https?:\/\//.test(webhook.url) || !URL.canParse(webhook.url))
      find(`${at}.webhook.url`, "an http(s) address", webhook.url);
    if (typeof webhook.secret !== "string" || webhook.secret === "")
      find(`${at}.webhook.secret`, "a secret", typeof webhook.secret);
    if (webhook.severity !== undefined && !severities.includes(webhook.severity as Severity))
      find(`${at}.webhook.severity`, severities.join(", "), webhook.severity);
    for (const key of ["retries", "timeoutMs"])
      if (webhook[key] !== undefined && !(Number.isInteger(webhook[key]) && Number(webhook[key]) >= 0))
        find(`${at}.webhook.${key}`, "a whole number from 0", webhook[key]);
  } else find(at, '"database", { file }, { webhook }, { name, write } or a function', sink);
}

function onlyKeys(value: object, known: readonly string[], at: string, find: Find): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) find(at, `made of ${known.join(", ")}`, key);
}

/** The rules, those for sign-ins among them. What a front end says counts for none of those: it could lock anybody out. */
function checkAlerts(
  given: unknown,
  findings: string[],
  find: Find,
): Pick<CheckedActivityOptions, "signInActions" | "rules" | "onAlert"> {
  if (given === false) return { signInActions: ["sign_in"], rules: [], onAlert: undefined };
  const {
    rules = [],
    signInActions = ["sign_in"],
    onAlert,
    ...thresholds
  } = (isRecord(given) ? given : {}) as AlertOptions;
  const checked = fill(new Alerts(), isRecord(given) ? thresholds : given, "activity.alerts.", findings);
  if (!isNames(signInActions)) find("alerts.signInActions", "a list of names", signInActions);
  if (onAlert !== undefined && typeof onAlert !== "function") find("alerts.onAlert", "a function", onAlert);
  const filter = { action: signInActions, outcome: "failure", source: "server" } as const;
  const { failuresPerAddress, failuresPerSubject, windowSeconds } = checked;
  const signIns: AlertRule[] = [
    { name: "failed_sign_ins_by_address", filter, by: "ip", threshold: failuresPerAddress, windowSeconds },
    { name: "failed_sign_ins_by_actor", filter, by: "actor", threshold: failuresPerSubject, windowSeconds },
    { name: "failed_sign_ins_by_subject", filter, by: "subject", threshold: failuresPerSubject, windowSeconds },
  ];
  if (!Array.isArray(rules)) find("alerts.rules", "a list", rules);
  else for (const [index, rule] of rules.entries()) checkRule(rule, `alerts.rules[${index}]`, find);
  const all = [...signIns.filter(({ threshold }) => threshold > 0), ...(Array.isArray(rules) ? rules : [])];
  const names = all.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) find("alerts.rules", "rules of different names", twice);
  return { signInActions, rules: all, onAlert };
}

function checkRule(rule: unknown, at: string, find: Find): void {
  const { name, filter, by, threshold, windowSeconds } = isRecord(rule) ? rule : {};
  if (isRecord(rule)) onlyKeys(rule, ["name", "filter", "by", "threshold", "windowSeconds"], at, find);
  if (typeof name !== "string" || name === "") find(`${at}.name`, "a name", name);
  if (!isRecord(filter)) find(`${at}.filter`, "an object", filter);
  else {
    onlyKeys(filter, ["action", "outcome", "severity", "category", "strategy", "source"], `${at}.filter`, find);
    if (filter.outcome !== undefined && !outcomes.includes(filter.outcome as Outcome))
      find(`${at}.filter.outcome`, outcomes.join(", "), filter.outcome);
    if (filter.severity !== undefined && !severities.includes(filter.severity as Severity))
      find(`${at}.filter.severity`, severities.join(", "), filter.severity);
  }
  if (by !== undefined && !["ip", "actor", "subject", "tenant"].includes(by as string))
    find(`${at}.by`, '"ip", "actor", "subject" or "tenant"', by);
  if (!Number.isInteger(threshold) || Number(threshold) < 1) find(`${at}.threshold`, "a positive integer", threshold);
  if (typeof windowSeconds !== "number" || !(windowSeconds > 0) || !Number.isFinite(windowSeconds))
    find(`${at}.windowSeconds`, "a positive number of seconds", windowSeconds);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
}

function isRetention(value: unknown): boolean {
  return value === "forever" || (typeof value === "number" && value > 0 && Number.isFinite(value));
}

function isSecret(value: unknown): boolean {
  return typeof value === "string" && value.length >= 16;
}
