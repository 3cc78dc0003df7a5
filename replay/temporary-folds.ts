import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/point-in-time.js";
import { checkCourses, exists, foldQuery, type FoldSource } from "./fold.js";
import type { FoldTable } from "./fold-table.js";
import type { Plan } from "./plan.js";
import type { Steps } from "./progress.js";
import { stageOldVersions } from "./stage.js";

/** The folds of all tables at one cut, in temporary tables of the session's transaction. */
export interface Folded {
  readonly upcast: number;
  readonly overridden: number;
  readonly skipped: number;
  /** The relation that holds a table's rows. */
  of(table: FoldTable): string;
}

/**
 * Folds every table up to a cut. All work is done in the database, under the label's own temporary tables.
 * Throws REPLAY_RECORD_MISSING, REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN.
 */
export async function foldToTables(
  session: Session,
  dataSource: DataSource,
  {
    label,
    cut,
    plan,
    tables,
    steps,
  }: { label: string; cut: Cut; plan: Plan; tables: readonly FoldTable[]; steps: Steps },
): Promise<Folded> {
  const { schema } = attachmentOf(dataSource);
  const staged = `chronicle_staged_${label}`;
  const source: FoldSource = { schema, cut, plan, staged: `pg_temp.${staged}` };
  const report = await stageOldVersions(session, dataSource, {
    plan,
    cut,
    tables,
    staged,
    step: () => steps.stopIfAborted(),
  });
  const names = new Map<string, string>();
  let skipped = 0;
  for (const [index, table] of tables.entries()) {
    const name = `chronicle_${label}_${index}`;
    const fold = `pg_temp.${name}`;
    names.set(table.tableName, fold);
    await session.rows(sql`create temporary table ${raw(name)} on commit drop as ${foldQuery(source, table)}`);
    skipped += await checkCourses(session, source, table, fold);
    await session.run(
      `delete from ${fold} where not (${exists}); analyze ${fold} (${table.keyColumns.map(quoteIdentifier).join(", ")})`,
    );
    steps.next(`fold ${table.entity}`);
  }
  return { ...report, skipped, of: (table) => names.get(table.tableName) ?? "" };
}
