import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/point-in-time.js";
import { checkCourses, exists, foldQuery, type FoldSource, recordKey } from "./fold.js";
import type { FoldTable } from "./fold-table.js";
import type { Plan } from "./plan.js";
import type { Steps } from "./progress.js";
import { stageOldVersions } from "./stage.js";

/** The folds of all tables at one cut, in temporary tables of the session; they go when the session ends. */
export interface Folded {
  readonly upcast: number;
  readonly overridden: number;
  readonly skipped: number;
  /** The relation that holds a table's rows. */
  of(table: FoldTable): string;
}

interface Folding {
  readonly label: string;
  readonly cut: Cut;
  readonly plan: Plan;
  readonly tables: readonly FoldTable[];
  readonly steps: Steps;
}

/**
 * Folds every table up to a cut. All work is done in the database, under the label's own temporary tables.
 * Throws REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN.
 */
export async function foldToTables(session: Session, dataSource: DataSource, folding: Folding): Promise<Folded> {
  const { label, cut, plan, tables, steps } = folding;
  const staged = `chronicle_staged_${label}`;
  const report = await stageOldVersions(session, dataSource, {
    plan,
    cut,
    tables,
    staged,
    step: () => steps.stopIfAborted(),
  });
  const source = { schema: attachmentOf(dataSource).schema, cut, plan, staged: `pg_temp.${staged}` };
  const names = new Map(tables.map((table, index) => [table.tableName, `pg_temp.chronicle_${label}_${index}`]));
  const of = (table: FoldTable) => names.get(table.tableName) ?? "";
  let skipped = 0;
  for (const table of tables) {
    await session.rows(sql`create temporary table ${raw(of(table))} as ${foldQuery(source, table)}`);
    skipped += await keepExisting(session, source, table, of(table));
    await session.run(`analyze ${of(table)} (${table.keyColumns.map(quoteIdentifier).join(", ")})`);
    steps.next(`fold ${table.entity}`);
  }
  return { ...report, skipped, of };
}

/**
 * Brings a fold that was made in an earlier snapshot up to the end of the log: only records with events that the snapshot did
 * not see are folded anew. For logs where no event needs a handler.
 */
export async function catchUp(
  session: Session,
  dataSource: DataSource,
  fold: Folded,
  snapshot: string,
  { cut, plan, tables }: Omit<Folding, "label" | "steps">,
): Promise<void> {
  const { schema } = attachmentOf(dataSource);
  for (const table of tables) {
    const rows = await session.rows(sql`
      select distinct record_key as key from ${raw(schema)}.event
      where transaction_id::text::bigint >= pg_snapshot_xmin(${snapshot}::pg_snapshot)::text::bigint
      and not pg_visible_in_snapshot(transaction_id, ${snapshot}::pg_snapshot)
      and table_name = any (${raw(schema)}.table_names(${table.tableName}))`);
    if (rows.length === 0) continue;
    const source: FoldSource = { schema, cut, plan, staged: "", keys: rows.map(({ key }) => key ?? "") };
    await session.rows(sql`delete from ${raw(fold.of(table))} where ${raw(recordKey)} = any (${source.keys})`);
    await session.rows(sql`insert into ${raw(fold.of(table))} ${foldQuery(source, table)}`);
    await keepExisting(session, source, table, fold.of(table));
  }
}

/** Leaves the records that are alive; returns how many events were skipped. */
async function keepExisting(session: Session, source: FoldSource, table: FoldTable, fold: string): Promise<number> {
  const skipped = await checkCourses(session, source, table, fold);
  await session.run(`delete from ${fold} where not (${exists})`);
  return skipped;
}
