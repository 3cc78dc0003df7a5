import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { type SchemaChangeReport, schemaChangeOf } from "./table-shape.js";

/** A change that the log followed: what was recorded before the position is read by way of it. */
export interface RecordedSchemaChange extends Omit<SchemaChangeReport, "recordedRows"> {
  readonly position: bigint;
  readonly recordedAt: Date;
}

/** What installs found changed in tracked tables, oldest first; `schema` is quoted. */
export async function schemaChanges(session: Session, schema: string): Promise<RecordedSchemaChange[]> {
  const rows = await session.rows(sql`
    select position, change, extract(epoch from recorded_at) * 1000 as recorded_at
    from ${raw(schema)}.schema_change
    order by position`);
  return rows.map((row) => {
    const { position, report } = schemaChangeOf(row);
    return { ...report, position, recordedAt: new Date(Math.floor(Number(row.recorded_at))) };
  });
}
