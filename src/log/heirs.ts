import { type Session, type TextRow } from "../core/session.js";
import { sql } from "../core/sql.js";

/** Tables that inherit from tracked ones, but as partitions; a row for each tracked table that has any. */
export async function heirsOf(
  session: Session,
  tables: readonly { readonly entity: string; readonly sqlName: string; readonly tableName: string }[],
): Promise<TextRow[]> {
  const expected = tables.map(({ entity, sqlName, tableName }) => ({ entity, sqlName, tableName }));
  return session.rows(sql`
    select e.entity, e."tableName", string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text) as heirs
    from jsonb_to_recordset(${JSON.stringify(expected)}::jsonb) as e (entity text, "sqlName" text, "tableName" text)
    join pg_inherits i on i.inhparent = to_regclass(e."sqlName")
    join pg_class c on c.oid = i.inhrelid and not c.relispartition
    group by 1, 2
    order by 1`);
}

/** Heirs' rows are in what TypeORM reads of the table, keys may be there twice, and no trigger of the table fires for them. */
export function heirsSentence({ entity, tableName, heirs }: TextRow): string {
  return `Tables inherit from ${entity} (${tableName}), and their rows, which count as its own, cannot be recorded: ${heirs}.`;
}
