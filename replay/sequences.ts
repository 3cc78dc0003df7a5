import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import type { FoldTable } from "./fold-table.js";

/** Puts the sequences behind columns past the last value, never back: an id that was given out is not given out again. */
export async function raiseSequences(session: Session, tables: readonly FoldTable[]): Promise<void> {
  const rows = await session.rows(sql`
    with columns as (
      select t.name, a.attrelid, a.attnum, a.attname, d.oid as default_oid
      from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
      join pg_attribute a on a.attrelid = t.name::regclass and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
    ),
    behind as (
      select p.objid as oid, c.name, c.attname
      from columns c
      join pg_depend p on p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass and p.refobjid = c.attrelid and p.refobjsubid = c.attnum
      union
      select p.refobjid, c.name, c.attname
      from columns c
      join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = c.default_oid and p.refclassid = 'pg_class'::regclass
    )
    select s.seqrelid::regclass as sequence, b.name as table_name, b.attname as column_name, s.seqincrement < 0 as descends, s.seqmin, s.seqmax
    from behind b join pg_sequence s on s.seqrelid = b.oid`);
  for (const { sequence, table_name, column_name, descends, seqmin, seqmax } of rows) {
    const column = raw(quoteIdentifier(column_name ?? ""));
    const [last, beyond] = descends === "t" ? [raw("min"), raw("<")] : [raw("max"), raw(">")];
    await session.rows(sql`
      select setval(${sequence}::regclass, v.value)
      from (select ${last}(${column})::bigint as value from ${raw(table_name ?? "")} where ${column} between ${seqmin} and ${seqmax}) v
      join ${raw(sequence ?? "")} s on v.value ${beyond} s.last_value or v.value = s.last_value and not s.is_called`);
  }
}
