import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session, withOwnSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { type Cut, effectivePosition, endOfLog, type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { apply, type AppliedRows } from "./apply.js";
import { countDifference, sameKey } from "./difference.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import { lockTables } from "./locks.js";
import { makePlan, type PlannedKind } from "./plan.js";
import { type Progress, Steps } from "./progress.js";
import { recordDifference } from "./rewind.js";
import { raiseSequences } from "./sequences.js";
import { catchUp, type Folded, foldToTables } from "./temporary-folds.js";

export interface ReplayOptions {
  /** What to do with live rows that the log does not know. (Default: "refuse") */
  readonly unknownRows?: "refuse" | "keep" | "delete" | undefined;
  /** Find out what a replay would do, and write nothing. (Default: false) */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the replay between two statements; live stays as it was. */
  readonly signal?: AbortSignal | undefined;
  /** How long to try for a moment without writers, in milliseconds. (Default: 30 000) */
  readonly lockTimeoutMs?: number | undefined;
}

export interface ReplayReport {
  /** Where the point in time came down to: the last position that is in it. */
  readonly effectivePosition: bigint;
  /** Events in range. */
  readonly events: number;
  readonly upcast: number;
  readonly overridden: number;
  /** Events of records whose create an override had taken over. */
  readonly skipped: number;
  readonly rows: AppliedRows & { readonly kept: number };
  /** Events recorded for a replay to the past. */
  readonly recorded: number;
  /** Rows in which live was not what the log said, before the replay. */
  readonly drift: number;
  /** Entities that are recorded and never replayed. */
  readonly auditOnly: readonly string[];
  /** How each stored kind of event is replayed. */
  readonly plan: readonly PlannedKind[];
  readonly durationMs: number;
}

/**
 * Makes the tables what the log says, to its end or at a point in time: one transaction or nothing. No subscriber, listener or
 * trigger runs. A replay to the past is recorded as ordinary events, so the log's end is then that state.
 * Throws NOT_OWNER, POINT_IN_TIME_UNKNOWN, POINT_IN_TIME_AMBIGUOUS, REPLAY_VERSION_UNHANDLED, REPLAY_UNKNOWN_ROWS,
 * REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN, REPLAY_IN_PROGRESS, REPLAY_LOCK_TIMEOUT, REPLAY_ABORTED,
 * REPLAY_BLOCKED_BY_REFERENCES, REPLAY_INVALID_ROWS.
 */
export async function replay(
  dataSource: DataSource,
  point?: PointInTime,
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  check(options);
  const started = performance.now();
  const { schema } = attachmentOf(dataSource);
  const steps = new Steps(options.onProgress, options.signal);
  return withOwnSession(dataSource, async (session) => {
    const tables = await foldTables(session, dataSource);
    await refuseOthersTables(session, tables);
    const asked = point === undefined ? undefined : await resolvePoint(session, dataSource, point);
    const run: Run = { schema, tables, asked, options, steps, started };
    const ahead = await session.snapshot(() => foldAhead(session, dataSource, run));
    if (options.dryRun) return session.snapshot(() => makeEqual(session, dataSource, run, ahead));
    return session.transaction(async () => {
      await lockTables(session, dataSource, tables, options.lockTimeoutMs ?? 30_000, () => steps.stopIfAborted());
      const report = await makeEqual(session, dataSource, run, ahead);
      steps.stopIfAborted();
      return report;
    });
  });
}

interface Run {
  readonly schema: string;
  readonly tables: readonly FoldTable[];
  readonly asked: Cut | undefined;
  readonly options: ReplayOptions;
  readonly steps: Steps;
  readonly started: number;
}

/** What was folded before any lock was taken. */
interface Ahead {
  readonly snapshot: string;
  /** The log's end; undefined where old versions have to be brought up under the locks. */
  readonly end: Folded | undefined;
  /** The point asked for: nothing can be added to it any more. */
  readonly point: Folded | undefined;
}

const forFolds = "set local work_mem = '128MB'; set local jit = off";

/** Most of the work, before the locks: checks that every event has a way, and folds. */
async function foldAhead(session: Session, dataSource: DataSource, { tables, asked, steps }: Run): Promise<Ahead> {
  await session.run(forFolds);
  const row = await session.row(sql`select pg_current_snapshot() as snapshot`);
  const cut = await endOfLog(session, dataSource);
  const plan = await makePlan(session, dataSource, cut);
  steps.plan({ tables: tables.length, folds: asked === undefined ? 1 : 2 });
  const point = asked && (await foldToTables(session, dataSource, { label: "point", cut: asked, plan, tables, steps }));
  const end =
    plan.handled === ""
      ? await foldToTables(session, dataSource, { label: "end", cut, plan, tables, steps })
      : undefined;
  return { snapshot: row?.snapshot ?? "", end, point };
}

/** The rest: the log's end as it is now, and live made equal. */
async function makeEqual(
  session: Session,
  dataSource: DataSource,
  { schema, tables, asked, options, steps, started }: Run,
  ahead: Ahead,
): Promise<ReplayReport> {
  await session.run(forFolds);
  const end = await endOfLog(session, dataSource);
  const plan = await makePlan(session, dataSource, end);
  const isAhead = ahead.end !== undefined && plan.handled === "";
  const now = isAhead
    ? ahead.end
    : await foldToTables(session, dataSource, { label: "now", cut: end, plan, tables, steps });
  if (isAhead) await catchUp(session, dataSource, now, ahead.snapshot, { cut: end, plan, tables });
  const then = ahead.point ?? now;
  const drift = await driftOf(session, tables, now, options.unknownRows ?? "refuse");
  const targets = tables.map((table) => ({
    table,
    wanted: then.of(table),
    mayDelete: options.unknownRows === "keep" ? isKnown(table, now) : "true",
  }));
  const rows = options.dryRun ? await plannedRows(session, tables, then) : await apply(session, targets);
  let recorded = 0;
  if (asked !== undefined && !options.dryRun) {
    for (const table of tables) {
      recorded += await recordDifference(session, {
        schema,
        table,
        before: now.of(table),
        after: then.of(table),
        actionName: "rewind",
        metadata: { rewind: { position: String(asked.position), leftOut: asked.leftOut } },
      });
    }
  }
  if (!options.dryRun) await raiseSequences(session, tables);
  const wanted = await countRows(session, tables, then);
  const cut = asked ?? end;
  return {
    effectivePosition: await effectivePosition(session, schema, cut),
    events: await countEvents(session, schema, cut),
    upcast: then.upcast,
    overridden: then.overridden,
    skipped: then.skipped,
    rows: { ...rows, kept: wanted - rows.inserted - rows.updated },
    recorded,
    drift,
    auditOnly: [...new Set(plan.kinds.filter(({ handler }) => handler === "audit only").map(({ entity }) => entity))],
    plan: plan.kinds,
    durationMs: Math.round(performance.now() - started),
  };
}

/** Counts the rows in which live is not what the log's end says. Throws REPLAY_UNKNOWN_ROWS unless the caller said what to do with those. */
async function driftOf(
  session: Session,
  tables: readonly FoldTable[],
  fold: Folded,
  unknownRows: "refuse" | "keep" | "delete",
): Promise<number> {
  let drift = 0;
  const unknown: { entity: string; rows: number }[] = [];
  for (const table of tables) {
    const { missing, unexpected, different } = await countDifference(session, table, table.sqlName, fold.of(table));
    if (unexpected > 0) unknown.push({ entity: table.entity, rows: unexpected });
    drift += missing + different + (unknownRows === "keep" ? 0 : unexpected);
  }
  if (unknown.length > 0 && unknownRows === "refuse") {
    throw new EventLogError(
      "REPLAY_UNKNOWN_ROWS",
      `The log does not know ${unknown.map(({ entity, rows }) => `${rows} ${rows === 1 ? "row" : "rows"} of ${entity}`).join(", ")}.`,
      {
        details: { unknown },
      },
    );
  }
  return drift;
}

function isKnown(table: FoldTable, fold: Folded): string {
  return `exists (select from ${fold.of(table)} k where ${sameKey(table, "l", "k")})`;
}

async function plannedRows(session: Session, tables: readonly FoldTable[], fold: Folded): Promise<AppliedRows> {
  const rows = { inserted: 0, updated: 0, deleted: 0 };
  for (const table of tables) {
    const { missing, unexpected, different } = await countDifference(session, table, table.sqlName, fold.of(table));
    rows.inserted += missing;
    rows.deleted += unexpected;
    rows.updated += different;
  }
  return rows;
}

async function countRows(session: Session, tables: readonly FoldTable[], fold: Folded): Promise<number> {
  let count = 0;
  for (const table of tables)
    count += numberOf(await session.row(sql`select count(*) as rows from ${raw(fold.of(table))}`), "rows");
  return count;
}

async function countEvents(session: Session, schema: string, { position, leftOut }: Cut): Promise<number> {
  const row = await session.row(
    sql`select count(*) as events from ${raw(schema)}.event where position <= ${position} and transaction_id <> all (${leftOut}::xid8[])`,
  );
  return numberOf(row, "events");
}

async function refuseOthersTables(session: Session, tables: readonly FoldTable[]): Promise<void> {
  const rows = await session.rows(sql`
    select t.name from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    join pg_class c on c.oid = t.name::regclass where not pg_has_role(c.relowner, 'usage')`);
  if (rows.length > 0)
    throw new EventLogError("NOT_OWNER", `This role does not own ${rows.map(({ name }) => name).join(", ")}.`);
}

const optionKeys = ["unknownRows", "dryRun", "onProgress", "signal", "lockTimeoutMs"];

function check(options: ReplayOptions): void {
  for (const key of Object.keys(options)) {
    if (!optionKeys.includes(key))
      throw new EventLogError("OPTIONS_INVALID", `replay: unknown option ${key}.`, {
        hint: `It takes ${optionKeys.join(", ")}.`,
      });
  }
  if (!["refuse", "keep", "delete"].includes(options.unknownRows ?? "refuse")) {
    throw new EventLogError(
      "OPTIONS_INVALID",
      `replay: expected unknownRows to be "refuse", "keep" or "delete", got: ${JSON.stringify(options.unknownRows)}.`,
    );
  }
  if (options.lockTimeoutMs !== undefined && !(options.lockTimeoutMs >= 0)) {
    throw new EventLogError(
      "OPTIONS_INVALID",
      `replay: expected lockTimeoutMs to be a number of milliseconds, got: ${JSON.stringify(options.lockTimeoutMs)}.`,
    );
  }
}
