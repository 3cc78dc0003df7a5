import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { sendableContext } from "../core/request-context.js";
import { numberOf, type Session, withOwnSession } from "../core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../core/sql.js";
import { type EntityReference, type TrackedTable, trackedTableOf, trackedTables } from "../log/tracked-tables.js";

export interface BaselineOptions {
  /** Only these entities. (Default: all that are tracked) */
  readonly entities?: readonly EntityReference[] | undefined;
  readonly onProgress?: ((progress: { readonly entity: string; readonly rows: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows per transaction: their locks are held while it runs. */
const batch = 1_000;

/**
 * Records a create event, `actionName: "baseline"`, for every row that the log does not know: for tables that had rows before
 * they were tracked. Row locks are held while positions are drawn, so that it is right beside running writers.
 * Resumable: what was recorded is known and not recorded again.
 */
export async function baseline(
  dataSource: DataSource,
  { entities, onProgress, signal }: BaselineOptions = {},
): Promise<{ rows: number }> {
  const { schema } = attachmentOf(dataSource);
  const tables =
    entities === undefined ? trackedTables(dataSource) : entities.map((entity) => trackedTableOf(dataSource, entity));
  return withOwnSession(dataSource, async (session) => {
    let rows = 0;
    for (const table of tables) {
      for (;;) {
        if (signal?.aborted)
          throw new EventLogError("REPLAY_ABORTED", "The baseline was aborted.", {
            hint: "Call it again: it goes on where it stopped.",
          });
        const written = await session.transaction(() => recordBatch(session, schema, table));
        rows += written;
        onProgress?.({ entity: table.entity, rows });
        if (written < batch) break;
      }
    }
    return { rows };
  });
}

async function recordBatch(session: Session, schema: string, table: TrackedTable): Promise<number> {
  const image =
    (
      await session.row(
        sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
      )
    )?.sql ?? "";
  const columns = table.keyColumns.map((name) => `${quoteLiteral(name)}, t.${quoteIdentifier(name)}`).join(", ");
  const row = await session.row(sql`
    select ${raw(schema)}.append(array_agg(row(ordinal, ${table.tableName}, null, image)::${raw(schema)}.change order by ordinal), ${sendableContext()?.json.text ?? null}::jsonb, 'baseline') as written
    from (
      select row_number() over () as ordinal, image
      from (
        select ${raw(image)} as image from ${raw(table.sqlName)} t
        where not exists (
          select from ${raw(schema)}.event e
          where e.table_name = any (${raw(schema)}.table_names(${table.tableName}))
          and e.record_key = ${raw(schema)}.record_key(jsonb_build_object(${raw(columns)}), ${table.keyColumns}::text[])
        )
        limit ${batch} for share of t
      ) locked
    ) change`);
  return numberOf(row, "written");
}
