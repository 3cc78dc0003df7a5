import { IsInt, Min } from "class-validator";
import { outcomes, severities, type Outcome, type Severity } from "../../entities/activity.js";
import { expected, fill, isRecord } from "../core/options.js";
import type { ActivityEntry } from "./entry.js";
import { type Find, isNames, onlyKeys } from "./findings.js";

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

/** Alert options after they were checked. */
export interface CheckedAlertOptions {
  readonly signInActions: readonly string[];
  /** The thresholds of sign-ins among them. */
  readonly rules: readonly AlertRule[];
  readonly onAlert: ((alert: Alert) => void | Promise<void>) | undefined;
}

const seconds = expected("a positive number of seconds");
const count = expected("a whole number from 0");

class Alerts {
  @IsInt(count) @Min(0, count) failuresPerAddress = 10;
  @IsInt(count) @Min(0, count) failuresPerSubject = 5;
  @IsInt(seconds) @Min(1, seconds) windowSeconds = 300;
}

/** The rules, those for sign-ins among them. What a front end says counts for none of those: it could lock anybody out. */
export function checkAlerts(given: unknown, findings: string[], find: Find): CheckedAlertOptions {
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
