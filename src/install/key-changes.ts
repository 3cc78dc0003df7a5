import type { Session } from "../core/session.js";
import { quoteLiteral, raw, sql } from "../core/sql.js";
import { tablesWithHiddenRows } from "../log/hidden-rows.js";
import { tablesOfOthers } from "../log/ownership.js";
import type { SchemaHistory } from "../log/schema-history.js";
import type { SeenColumn } from "../log/table-shape.js";
import type { TrackedTable } from "../log/tracked-tables.js";
import type { KnownTable } from "./schema-diff.js";

interface Known {
  readonly trackedId: string;
  readonly known: KnownTable;
  readonly history: SchemaHistory;
}

/**
 * Whether the log has events of every row under the key that the row has now, and the beginning of every record that
 * was written since a migration. Rows from before a baseline, or of a new partition, it does not know anyway. A table
 * that cannot be read without running code of others, or only in part, may have any.
 */
export async function knowsKeys(
  session: Session,
  schema: string,
  table: TrackedTable,
  { trackedId, known }: Known,
): Promise<boolean> {
  if ((await tablesOfOthers(session, schema, [table])).length > 0) return false;
  if ((await tablesWithHiddenRows(session, [table])).length > 0) return false;
  const images = await session.rows(sql`
    select c.name, ${raw(schema)}.column_image_sql('t', c.name, c.kind) as sql
    from ${raw(schema)}.columns(${table.sqlName}::regclass) c
    where c.name = any (${table.keyColumns}::text[])`);
  const id = images.map(({ name, sql: image }) => `${quoteLiteral(name ?? "")}, ${image}`).join(", ");
  const keys = `array[${table.keyColumns.map(quoteLiteral).join(", ")}]::text[]`;
  const row = await session.row(sql`
    select k.had_rows and not k.baseline_complete or not exists (
      select from ${raw(table.sqlName)} t
      where t.tableoid = any (${Object.keys(known.storage)}::oid[]) and not exists (
        select from ${raw(schema)}.event e
        where e.table_name = any (${raw(schema)}.table_names(k.table_name))
        and e.record_key = ${raw(schema)}.record_key(jsonb_build_object(${raw(id)}), ${raw(keys)})
      )
    ) and not exists (
      select from ${raw(schema)}.event e
      where e.table_name = any (${raw(schema)}.table_names(k.table_name)) and e.shape is not null
      and e.position > coalesce(
        (select max(c.position) from ${raw(schema)}.schema_change c where c.tracked_id = k.id), 0)
      and not exists (
        select from ${raw(schema)}.event b
        where b.table_name = any (${raw(schema)}.table_names(k.table_name)) and b.record_key = e.record_key
        and b.action = 'create' and b.position <= e.position
      )
    ) as known
    from ${raw(schema)}.tracked k where k.id = ${trackedId}::smallint`);
  return row?.known === "t";
}

/** The first event since the last change that was written under a key of another type or with other labels. */
export function firstOfOtherKeys(session: Session, schema: string, known: Known): Promise<bigint | null> {
  return firstUnder(session, schema, known, (seen, key) => seen?.typeId !== key.typeId || hasOtherLabels(seen, key));
}

/** The first event since the last change that was written while a key's labels had other names than before it. */
export function firstRelabelled(session: Session, schema: string, known: Known): Promise<bigint | null> {
  return firstUnder(session, schema, known, (seen, key) => seen?.typeId === key.typeId && hasOtherLabels(seen, key));
}

function hasOtherLabels(seen: SeenColumn, key: SeenColumn): boolean {
  return Object.entries(key.labels ?? {}).some(([oid, label]) => {
    const other = seen.labels?.[oid];
    return other !== undefined && other !== label;
  });
}

async function firstUnder(
  session: Session,
  schema: string,
  { trackedId, known, history }: Known,
  isOther: (seen: SeenColumn | undefined, key: SeenColumn) => boolean,
): Promise<bigint | null> {
  const keys = known.columns.filter(({ name }) => known.keyColumns.includes(name));
  const shapes = [...history.seen].flatMap(([hash, columns]) => {
    const pairs = keys.map((key) => [columns.find(({ number }) => number === key.number), key] as const);
    return pairs.some(([seen, key]) => isOther(seen, key)) ? [hash] : [];
  });
  if (shapes.length === 0) return null;
  const row = await session.row(sql`
    select min(e.position) as position
    from ${raw(schema)}.tracked t
    join ${raw(schema)}.event e on e.table_name = any (${raw(schema)}.table_names(t.table_name))
    where t.id = ${trackedId}::smallint and e.shape = any (${shapes}::bigint[])
    and e.position > ${history.changes.at(-1)?.position ?? 0n}`);
  return row?.position == null ? null : BigInt(row.position);
}
