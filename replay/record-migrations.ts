import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import type { Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Comparison, RecordingProgress } from "../src/log/comparison.js";
import { tablesWithHiddenRows } from "../src/log/hidden-rows.js";
import { tablesOfOthers } from "../src/log/ownership.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import { Recorder } from "./recorder.js";

/** How install has the values recorded that a schema change rewrote. */
export interface MigrationRecording {
  readonly session: Session;
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Records, as events with origin "migration", what a schema change did to rows: what the last install noted and nobody
 * has finished. Each comparison is ticked off when it is done, so that an install that was stopped goes on where it
 * was. Rows of tables that cannot be read without running code of others, or only in part, stay unfinished. Returns how many events there
 * are for each entity.
 */
export async function recordMigrations(
  dataSource: DataSource,
  { session, onProgress, signal }: MigrationRecording,
): Promise<ReadonlyMap<string, number>> {
  const { schema } = attachmentOf(dataSource);
  const recorded = new Map<string, number>();
  const rows = await session.rows(
    sql`select table_name, unfinished, had_rows and not baseline_complete as unknown
      from ${raw(schema)}.tracked
      where unfinished is not null`,
  );
  if (rows.length === 0) return recorded;
  const tables = await session.transaction(() =>
    foldTables(session, dataSource, { auditOnly: true, allowStale: true, allowOthers: true }),
  );
  const ofOthers = await tablesOfOthers(session, schema, tables);
  const hidden = await tablesWithHiddenRows(session, tables);
  for (const { table_name, unfinished, unknown } of rows) {
    const table = tables.find(({ tableName }) => tableName === table_name);
    if (table === undefined || ofOthers.includes(table)) continue;
    if (hidden.some(({ name }) => name === table.sqlName)) continue;
    const comparison = JSON.parse(unfinished ?? "{}") as Comparison;
    const recorder = new Recorder(session, dataSource, tables, {
      origin: "migration",
      dryRun: false,
      onProgress,
      signal,
    });
    await recorder.record(
      table,
      { ...comparison, columns: comparison.whole ? undefined : comparison.columns },
      unknown !== "t",
    );
    await session.transaction(() => finish(session, schema, table, comparison));
    const { created, updated, destroyed } = recorder.counts;
    recorded.set(table.entity, created + updated + destroyed);
  }
  return recorded;
}

/**
 * Ticks a comparison off. Where rows became known by it, a writer may have changed some before: their events may lack a
 * create.
 */
async function finish(session: Session, schema: string, table: FoldTable, comparison: Comparison): Promise<void> {
  const newest = sql`(select max(position) from ${raw(schema)}.event)`;
  const isKnownFromHere = comparison.whole || comparison.partitions.length > 0;
  await session.rows(sql`
    update ${raw(schema)}.tracked
    set unfinished = null, baseline_position = ${isKnownFromHere ? newest : sql`baseline_position`}
    where table_name = ${table.tableName} and unfinished = ${JSON.stringify(comparison)}::jsonb`);
}
