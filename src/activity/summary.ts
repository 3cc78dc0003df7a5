import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions, section } from "../core/option-checker.js";
import { positive } from "../core/option-kinds.js";
import { asReader } from "../core/rights.js";
import { numberOf, type TextRow, withPooledSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { recorderOf } from "./lifecycle.js";

export interface Count {
  readonly name: string;
  readonly count: number;
}

export interface ActivitySummary {
  readonly from: Date;
  readonly to: Date;
  readonly total: number;
  readonly byAction: readonly Count[];
  readonly byOutcome: readonly Count[];
  readonly bySeverity: readonly Count[];
  /** The ten with the most entries. */
  readonly topActors: readonly (Count & { readonly type: string; readonly id: string })[];
  readonly topAddresses: readonly Count[];
  /** Actions that failed, were denied or broke, the ten most frequent. */
  readonly topFailures: readonly Count[];
}

const top = 10;

const summaryOptions = section({ hours: positive("hours", 8_760_000).byDefault(24) });

/** What happened in the last hours, counted in the table in one statement: one snapshot. */
export async function summary(
  dataSource: DataSource,
  options: { hours?: number | undefined } = {},
): Promise<ActivitySummary> {
  const { hours } = checkOptions("summary", options, summaryOptions);
  await recorderOf(dataSource).flushDatabase();
  const { schema } = attachmentOf(dataSource);
  const to = new Date();
  const from = new Date(to.getTime() - hours * 3_600_000);
  const rows = await asReader(
    dataSource,
    withPooledSession(dataSource, (session) =>
      session.rows(sql`
        with entry as materialized (
          select action, outcome, severity, ip, actor_type, actor_id, actor_name from ${raw(schema)}.activity
          where occurred_at >= ${from} and occurred_at <= ${to}
        )
        select 'total' as part, null as name, null as type, null as id, count(*) from entry
        union all select 'action', action, null, null, count(*) from entry group by action
        union all select 'outcome', outcome, null, null, count(*) from entry group by outcome
        union all select 'severity', severity, null, null, count(*) from entry group by severity
        union all (select 'actor', max(actor_name), actor_type, actor_id, count(*) as n from entry where actor_id is not null group by actor_type, actor_id order by n desc, actor_id limit ${top})
        union all (select 'address', ip, null, null, count(*) as n from entry where ip is not null group by ip order by n desc, ip limit ${top})
        union all (select 'failure', action, null, null, count(*) as n from entry where outcome in ('failure', 'denied', 'error') group by action order by n desc, action limit ${top})
        order by 5 desc, 2`),
    ),
  );
  const part = (name: string) => rows.filter((row) => row.part === name);
  const counts = (name: string) => part(name).map((row) => ({ name: row.name ?? "", count: numberOf(row, "count") }));
  return {
    from,
    to,
    total: numberOf(part("total")[0], "count"),
    byAction: counts("action"),
    byOutcome: counts("outcome"),
    bySeverity: counts("severity"),
    topActors: part("actor").map(actorOf),
    topAddresses: counts("address"),
    topFailures: counts("failure"),
  };
}

function actorOf(row: TextRow): ActivitySummary["topActors"][number] {
  const [type, id] = [row.type ?? "", row.id ?? ""];
  return { type, id, name: row.name ?? id, count: numberOf(row, "count") };
}

/** The state of the log, and of this process's part in it. */
export interface ActivityStats {
  readonly rows: number;
  /** Of the table with its indexes. */
  readonly bytes: number;
  readonly oldest: Date | null;
  readonly newest: Date | null;
  /** Entries since midnight, UTC. */
  readonly today: number;
  /** Files of file sinks. */
  readonly files: readonly string[];
  /** Entries of this process that wait to be written, of all sinks. */
  readonly queued: number;
  /** Entries of this process that were left out. */
  readonly dropped: number;
  /** The oldest of the last successful writes of this process's sinks. */
  readonly lastFlush: Date | null;
  readonly lastError: string | null;
  readonly sinks: readonly {
    readonly name: string;
    readonly queued: number;
    readonly dropped: number;
    readonly lastFlush: Date | null;
    readonly lastError: string | null;
  }[];
}

export async function stats(dataSource: DataSource): Promise<ActivityStats> {
  const { schema } = attachmentOf(dataSource);
  const recorder = recorderOf(dataSource);
  const row = await asReader(
    dataSource,
    withPooledSession(dataSource, (session) =>
      session.row(sql`
        select count(*) as rows, pg_total_relation_size(${`${schema}.activity`}::regclass) as bytes,
          extract(epoch from min(occurred_at)) * 1000 as oldest, extract(epoch from max(occurred_at)) * 1000 as newest,
          count(*) filter (where occurred_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC') as today
        from ${raw(schema)}.activity`),
    ),
  );
  const time = (ms: string | null | undefined) => (ms == null ? null : new Date(Math.floor(Number(ms))));
  const sinks = recorder.lanes.map(({ name, length, droppedInAll, lastFlush, lastError }) => ({
    name,
    queued: length,
    dropped: droppedInAll,
    lastFlush,
    lastError,
  }));
  const flushes = sinks.map(({ lastFlush }) => lastFlush?.getTime()).filter((at) => at !== undefined);
  return {
    rows: numberOf(row, "rows"),
    bytes: numberOf(row, "bytes"),
    oldest: time(row?.oldest),
    newest: time(row?.newest),
    today: numberOf(row, "today"),
    files: (await Promise.all(recorder.lanes.map(async ({ sink }) => (await sink.files?.()) ?? []))).flat(),
    queued: sinks.reduce((sum, { queued }) => sum + queued, 0),
    dropped: recorder.dropped,
    lastFlush: flushes.length === 0 ? null : new Date(Math.min(...flushes)),
    lastError: sinks.find(({ lastError }) => lastError !== null)?.lastError ?? null,
    sinks,
  };
}
