import { outcomes, severities, type Outcome, type Severity } from "../../entities/activity.js";
import { type Checked, listOf, type OptionsOf, section } from "../core/option-checker.js";
import { aFunction, integer, names, oneOf, oneOrMore, positive, text } from "../core/option-kinds.js";
import type { ActivityEntry } from "./entry.js";

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

const alertRule = section({
  name: text("a name").required(),
  filter: section({
    action: oneOrMore("actions", text("an action")),
    outcome: oneOf(...outcomes),
    severity: oneOf(...severities),
    category: text("a category"),
    strategy: text("a strategy"),
    source: oneOf("server", "client"),
  } satisfies OptionsOf<AlertRule["filter"]>),
  by: oneOf("ip", "actor", "subject", "tenant"),
  threshold: integer(1).required(),
  windowSeconds: positive("seconds").required(),
} satisfies OptionsOf<AlertRule>);

const options = {
  signInActions: names.byDefault(["sign_in"]),
  failuresPerAddress: integer(0).byDefault(10),
  failuresPerSubject: integer(0).byDefault(5),
  windowSeconds: positive("seconds").byDefault(300),
  rules: listOf("rules", alertRule).byDefault([]),
  onAlert: aFunction(),
} satisfies OptionsOf<AlertOptions>;

/** The rules come out with those for sign-ins among them. */
export const alertOptions = section(options)
  .meaning(false, { failuresPerAddress: 0, failuresPerSubject: 0 })
  .as(({ signInActions, rules, onAlert, ...thresholds }) => ({
    signInActions,
    rules: Object.freeze([...signInRules(signInActions, thresholds), ...rules]),
    onAlert,
  }))
  .also(({ rules }, wrong) => {
    const names = rules.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) wrong("rules", "rules of different names", twice);
  })
  .byDefault({});

type Thresholds = Pick<Checked<typeof options>, "failuresPerAddress" | "failuresPerSubject" | "windowSeconds">;

/** What a front end says counts for none of these: it could lock anybody out. */
function signInRules(
  action: readonly string[],
  { failuresPerAddress, failuresPerSubject, windowSeconds }: Thresholds,
): AlertRule[] {
  const filter = { action, outcome: "failure", source: "server" } as const;
  const rules: AlertRule[] = [
    { name: "failed_sign_ins_by_address", filter, by: "ip", threshold: failuresPerAddress, windowSeconds },
    { name: "failed_sign_ins_by_actor", filter, by: "actor", threshold: failuresPerSubject, windowSeconds },
    { name: "failed_sign_ins_by_subject", filter, by: "subject", threshold: failuresPerSubject, windowSeconds },
  ];
  return rules.filter(({ threshold }) => threshold > 0);
}
