import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { numberOf, positionOf, type Session } from "../src/core/session.js";
import { join, quoteIdentifier, raw, sql, type Statement } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { checkCourses, exists, foldQuery, recordKey } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { foldFailure } from "./fold-failure.js";
import type { FoldTable } from "./fold-table.js";
import { invalidRows } from "./invalid-rows.js";
import type { Plan } from "./plan.js";
import type { Steps } from "./progress.js";
import type { Scope } from "./scope.js";
import { stageOldVersions, type StageReport } from "./stage.js";

/** The folds of all tables at one cut, in temporary tables of the session; they go when the session ends. */
export interface Folded {
  readonly label: string;
  readonly staged: StageReport;
  /** The relation that holds a table's rows. */
  of(table: FoldTable): string;
}

interface Folding {
  readonly label: string;
  readonly cut: Cut;
  readonly plan: Plan;
  readonly tables: readonly FoldTable[];
  /** Fold only what lies in it; overrides may still read every table. (Default: all of the tables) */
  readonly scope?: Scope | undefined;
  readonly steps: Steps;
}

/**
 * Folds every table up to a cut. All work is done in the database, under the label's own temporary tables.
 * Throws REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN, and what a scope refuses.
 */
export async function foldToTables(session: Session, dataSource: DataSource, folding: Folding): Promise<Folded> {
  const { label, tables, scope, steps } = folding;
  const staged = await stageOldVersions(session, dataSource, staging(folding));
  await scope?.findRecords(session, folding.plan.handled === "" ? undefined : stagedOf(folding));
  const names = new Map(tables.map((table, index) => [table.tableName, `pg_temp.chronicle_${label}_${index}`]));
  const of = (table: FoldTable) => names.get(table.tableName) ?? "";
  await session.run(`create temporary table ${skippedOf(label)} (table_name text, record_key text, events bigint)`);
  const parts = await parallel(session);
  for (const table of tables) {
    const source = { ...sourceOf(dataSource, folding, scope?.only(table)), parts };
    await refusing(source, table, () =>
      session.rows(sql`create temporary table ${raw(of(table))} as ${foldQuery(source, table)}`),
    );
    await keepExisting(session, source, table, { of, label });
    await session.run(`analyze ${of(table)} (${table.keyColumns.map(quoteIdentifier).join(", ")})`);
    steps.next(`fold ${table.entity}`);
  }
  return { label, staged, of };
}

/**
 * In how many parts a table is folded at most: each reads the whole log, and one after another where the server has no
 * processes left.
 */
const mostParts = 4;

/**
 * Lets folds of large tables be made by several processes, until the transaction ends; how many there may be. A part is
 * not divided again: Postgres would take its scan for the part to do in parallel.
 */
async function parallel(session: Session): Promise<number> {
  await session.run("set local parallel_tuple_cost = 0; set local min_parallel_table_scan_size = '5TB'");
  const row = await session.row(sql`select current_setting('max_parallel_workers_per_gather') as parts`);
  return Math.min(Math.max(1, numberOf(row, "parts")), mostParts);
}

/** How many events were skipped because an override had retired their record. */
export async function countSkipped(session: Session, { label }: Folded): Promise<number> {
  return numberOf(await session.row(sql`select sum(events) as events from ${raw(skippedOf(label))}`), "events");
}

/**
 * Brings a fold that was made in an earlier snapshot up to the end of the log, the first event it did not see being
 * `first`: only events that the snapshot did not see are staged, and only records that they touch are folded anew.
 * `onRecords` gets those of each table. Returns undefined where that is not possible: a handler may have read a record
 * before an event of it that came to light since.
 */
export async function catchUp(
  session: Session,
  dataSource: DataSource,
  fold: Folded,
  { snapshot, first }: { readonly snapshot: string; readonly first: bigint },
  folding: Omit<Folding, "label">,
  onRecords: (table: FoldTable, keys: readonly string[]) => Promise<void>,
): Promise<Folded | undefined> {
  const { schema } = attachmentOf(dataSource);
  const { tables, scope, plan } = folding;
  const { label } = fold;
  const unseen = unseenIn(snapshot, schema);
  const { last } = fold.staged;
  if (first < last) return undefined;
  const wasStaged = last > 0n;
  const staged = await stageOldVersions(session, dataSource, {
    ...staging({ ...folding, label }),
    since: wasStaged ? fold.staged : undefined,
  });
  const relation = plan.handled === "" ? undefined : stagedOf({ label });
  await scope?.findRecords(session, relation);
  for (const table of tables) {
    const rows = await session.rows(sql`
      select e.record_key as key from ${raw(schema)}.event e where ${unseen} and e.table_name = any (${raw(schema)}.table_names(${table.tableName}))
      ${relation === undefined ? sql`` : sql`union select record_key from ${raw(relation)} where table_name = ${table.tableName} and position > ${last}`}`);
    if (rows.length === 0) continue;
    const keys = [...new Set(rows.map(({ key }) => key ?? ""))];
    const only = [sql`e.record_key = any (${keys})`, scope?.only(table)].filter((part) => part !== undefined);
    const source = sourceOf(dataSource, { ...folding, label }, join(only, " and "));
    await session.rows(sql`delete from ${raw(fold.of(table))} where ${raw(recordKey)} = any (${keys})`);
    await session.rows(
      sql`delete from ${raw(skippedOf(label))} where table_name = ${table.tableName} and record_key = any (${keys})`,
    );
    await refusing(source, table, () =>
      session.rows(sql`insert into ${raw(fold.of(table))} ${foldQuery(source, table)}`),
    );
    await keepExisting(session, source, table, fold, keys);
    await onRecords(table, keys);
  }
  return { ...fold, staged };
}

/**
 * The position of the first event that a snapshot did not see; undefined where it saw all that there are. Writers wait
 * for it, so it is read through event_order: asked for the least position, the planner goes through the whole log by
 * its primary key.
 */
export async function firstUnseen(
  session: Session,
  dataSource: DataSource,
  snapshot: string,
): Promise<bigint | undefined> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(
    sql`select min(position) as position from (select position from ${raw(schema)}.event e where ${unseenIn(snapshot, schema)} offset 0) unseen`,
  );
  return row?.position == null ? undefined : positionOf(row, "position");
}

function unseenIn(snapshot: string, schema: string): Statement {
  return sql`e.epoch = (select epoch from ${raw(schema)}.installation) and e.transaction_id::text::bigint >= pg_snapshot_xmin(${snapshot}::pg_snapshot)::text::bigint
    and not pg_visible_in_snapshot(e.transaction_id, ${snapshot}::pg_snapshot)`;
}

function staging({ label, plan, cut, tables, scope, steps }: Folding) {
  return {
    plan,
    cut,
    tables: scope?.every ?? tables,
    staged: `chronicle_staged_${label}`,
    lasts: "session" as const,
    scope,
    step: () => steps.next("old versions"),
  };
}

function stagedOf({ label }: { label: string }): string {
  return `pg_temp.chronicle_staged_${label}`;
}

function skippedOf(label: string): string {
  return `pg_temp.chronicle_skipped_${label}`;
}

function sourceOf(dataSource: DataSource, { cut, plan, label }: Folding, only: Statement | undefined): FoldSource {
  return { schema: attachmentOf(dataSource).schema, cut, plan, staged: stagedOf({ label }), only };
}

/**
 * Folds a table. Throws FoldFailure for a value that is not one of its column's type, REPLAY_INVALID_ROWS for one that
 * a domain refuses.
 */
async function refusing(source: FoldSource, table: FoldTable, fold: () => Promise<unknown>): Promise<void> {
  try {
    await fold();
  } catch (error) {
    throw invalidRows(foldFailure(error, source, table), { tables: [table], plan: source.plan });
  }
}

/**
 * Leaves the records that are alive, of all or of some that were folded anew, and notes what was skipped of the others.
 */
async function keepExisting(
  session: Session,
  source: FoldSource,
  table: FoldTable,
  fold: Pick<Folded, "of" | "label">,
  keys?: readonly string[],
): Promise<void> {
  const relation = fold.of(table);
  const which = keys === undefined ? sql`true` : sql`${raw(recordKey)} = any (${keys})`;
  await checkCourses(session, source, table, relation, skippedOf(fold.label), which);
  await session.run(`delete from ${relation} where not (${exists})`);
}
