import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { SchemaHistory } from "./schema-history.js";
import { type SchemaChange, schemaChangeOf, type SeenColumn, type ShapeColumn } from "./table-shape.js";

/** The shapes that tracked tables had, by the tables' ids; `schema` is quoted. */
export async function readSchemaHistories(
  session: Session,
  schema: string,
  trackedIds: readonly string[],
): Promise<ReadonlyMap<string, SchemaHistory>> {
  const changes = await session.rows(sql`
    select tracked_id, position, change from ${raw(schema)}.schema_change
    where tracked_id = any (${trackedIds}::smallint[]) order by position`);
  const seen = await session.rows(sql`
    select distinct on (tracked_id, hash) tracked_id, hash, columns from ${raw(schema)}.table_shape
    where tracked_id = any (${trackedIds}::smallint[]) order by tracked_id, hash, seen_at`);
  const now = await session.rows(sql`
    select id, columns from ${raw(schema)}.tracked where id = any (${trackedIds}::smallint[])`);
  return new Map(
    now.map(({ id, columns }) => {
      const own: SchemaChange[] = changes.filter(({ tracked_id }) => tracked_id === id).map(schemaChangeOf);
      const shapes = seen
        .filter(({ tracked_id }) => tracked_id === id)
        .map(({ hash, columns: list }) => [hash ?? "", JSON.parse(list ?? "[]") as SeenColumn[]] as const);
      return [id ?? "", new SchemaHistory(own, new Map(shapes), JSON.parse(columns ?? "[]") as ShapeColumn[])] as const;
    }),
  );
}
