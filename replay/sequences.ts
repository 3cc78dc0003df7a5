import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import type { FoldTable } from "./fold-table.js";

/** Puts the sequences behind columns past the highest value, never back: an id that was given out is not given out again. */
export async function raiseSequences(session: Session, tables: readonly FoldTable[]): Promise<void> {
  const rows = await session.rows(sql`
    with columns as (
      select t.name, a.attrelid, a.attnum, a.attname, d.oid as default_oid
      from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
      join pg_attribute a on a.attrelid = t.name::regclass and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
    )
    select s.oid::regclass as sequence, c.name as table_name, c.attname as column_name
    from columns c
    join pg_depend p on p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass and p.refobjid = c.attrelid and p.refobjsubid = c.attnum
    join pg_class s on s.oid = p.objid and s.relkind = 'S'
    union
    select s.oid::regclass, c.name, c.attname
    from columns c
    join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = c.default_oid and p.refclassid = 'pg_class'::regclass
    join pg_class s on s.oid = p.refobjid and s.relkind = 'S'`);
  for (const { sequence, table_name, column_name } of rows) {
    const column = raw(quoteIdentifier(column_name ?? ""));
    await session.rows(sql`
      select setval(${sequence}::regclass, highest)
      from (select max(${column}) as highest from ${raw(table_name ?? "")}) h
      where highest > (select last_value from ${raw(sequence ?? "")})`);
  }
}
