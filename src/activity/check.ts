import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { withPooledSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { recorderOf } from "./lifecycle.js";
import type { Spool } from "./spool.js";

export interface ActivityCheck {
  /** What keeps the log from being what it should be, a sentence each. */
  readonly findings: readonly string[];
  readonly enabled: boolean;
  readonly includeActions: readonly string[] | null;
  readonly excludeActions: readonly string[];
  readonly includeStrategies: readonly string[] | null;
  readonly excludeStrategies: readonly string[];
  readonly includeFields: readonly string[];
  readonly retentionDays: number | "forever";
  readonly sensitive: "omit" | "mask" | "hash";
  readonly ipPrivacy: "none" | "hash" | "truncate" | "exclude";
  readonly sensitiveKeys: boolean;
  readonly spool: string | null;
  readonly sinks: readonly string[];
  readonly thresholds: readonly { readonly name: string; readonly threshold: number; readonly windowSeconds: number }[];
  /** The role that this DataSource connects as. */
  readonly role: string;
  /** What that role may do with the table. */
  readonly grants: readonly string[];
  readonly lastFlush: Date | null;
  readonly lastError: string | null;
}

const rights = ["select", "insert", "update", "delete", "truncate", "trigger"] as const;

/** What is recorded and how, and what is wrong with it. Nothing is written. */
export async function check(dataSource: DataSource): Promise<ActivityCheck> {
  const { activityRetentionDays, options: log } = attachmentOf(dataSource);
  const recorder = recorderOf(dataSource);
  const { options } = recorder;
  await recorder.flushDatabase();
  const grants = rights.map((right) => `has_table_privilege(c.oid, '${right}') as ${right}`).join(", ");
  // By the catalogs alone: a role without any right gets an answer too.
  const row = await withPooledSession(dataSource, (session) =>
    session.row(sql`
      select current_user as role, c.oid as there, pg_has_role(current_user, c.relowner, 'member') as owner, ${raw(grants)},
        (select count(*) from pg_trigger g where g.tgrelid = c.oid and g.tgname in ('append_only', 'guarded') and g.tgenabled in ('O', 'A')) as guards,
        (select has_function_privilege(p.oid, 'execute') from pg_proc p where p.pronamespace = n.oid and p.proname = 'record_activity') as record,
        (select has_function_privilege(p.oid, 'execute') from pg_proc p where p.pronamespace = n.oid and p.proname = 'activity_cleanup') as cleanup
      from (select) one left join pg_namespace n on n.nspname = ${log.schema}
      left join pg_class c on c.relnamespace = n.oid and c.relname = 'activity'`),
  );
  const may = (right: string) => row?.[right] === "t";
  const findings: string[] = [];
  const lanes = recorder.lanes;
  if (!options.enabled) findings.push("The activity log is off (activity.enabled).");
  if (!recorder.hasDatabase)
    findings.push("No sink is the database: alerts, search and retention have nothing to work on.");
  if (row?.there == null) findings.push("The activity log is not installed: run install().");
  else {
    if (row.guards !== "2")
      findings.push("A trigger that keeps the log append-only is missing or disabled: run install().");
    if (!may("record")) findings.push(`The role ${row.role} may not write the activity log: run install({ grantTo }).`);
    if (may("owner"))
      findings.push(
        `The application's role ${row.role} owns the activity log and could disable its guards: connect as a role named in install({ grantTo }).`,
      );
    else {
      for (const right of ["insert", "update", "delete", "truncate", "trigger"])
        if (may(right))
          findings.push(`The role ${row.role} holds the right to ${right} on the activity log: revoke it.`);
    }
    if (!may("cleanup") && activityRetentionDays !== null)
      findings.push(`The role ${row.role} may not run the retention: entries are kept for ever.`);
  }
  if (options.rules.some(({ by }) => by === "ip") && options.ipPrivacy === "exclude")
    findings.push('Addresses are not kept (ipPrivacy "exclude"): thresholds per address never fire.');
  if (recorder.spooled !== undefined)
    findings.push(...findingsOf(recorder.spooled.spool, options.secret !== undefined));
  for (const { name, lastError, lastFlush, length } of lanes)
    if (lastError !== null && length > 0)
      findings.push(
        `The sink ${name} fails: ${lastError} (${length} entries wait; last success ${lastFlush?.toISOString() ?? "never"}).`,
      );
  if (recorder.dropped > 0) findings.push(`${recorder.dropped} entries of this process were dropped.`);
  return {
    findings,
    enabled: options.enabled,
    includeActions: options.includeActions ?? null,
    excludeActions: options.excludeActions,
    includeStrategies: options.includeStrategies ?? null,
    excludeStrategies: options.excludeStrategies,
    includeFields: options.includeFields,
    retentionDays: options.retentionDays ?? "forever",
    sensitive: options.sensitive,
    ipPrivacy: options.ipPrivacy,
    sensitiveKeys: options.sensitiveKeys,
    spool: options.spool ?? null,
    sinks: lanes.map(({ name }) => name),
    thresholds: options.rules.map(({ name, threshold, windowSeconds }) => ({ name, threshold, windowSeconds })),
    role: row?.role ?? "",
    grants: rights.filter(may),
    lastFlush: lanes.map(({ lastFlush }) => lastFlush).find((at) => at !== null) ?? null,
    lastError: lanes.find(({ lastError }) => lastError !== null)?.lastError ?? null,
  };
}

function findingsOf({ aside, problem }: Spool, isSigned: boolean): string[] {
  const findings: string[] = [];
  if (!isSigned)
    findings.push(
      "The lines of the spool are not signed (no activity.ipSecret): only the owner and the modes of its folder and files are checked.",
    );
  if (aside.length > 0)
    findings.push(`The spool holds files that could not be read: ${aside.join(", ")}. Look at them, then remove them.`);
  if (problem !== null) findings.push(`The spool failed, last with: ${problem}`);
  return findings;
}
