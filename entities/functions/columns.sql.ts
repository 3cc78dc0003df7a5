/**
 * Every column of a table that has a value: its type as SQL, how it is recorded, and whether JavaScript needs its digits
 * as text. A virtual generated column has none: it is computed whenever it is read, and triggers see it as null.
 */
export const columns = (s: string): string => `-- version: 2
create or replace function ${s}.columns(of regclass)
returns table (name text, type text, kind text, digits boolean, generated boolean, identity text, nullable boolean, number smallint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive base (number, oid) as (
    select attnum, atttypid from pg_attribute where attrelid = of and attnum > 0 and not attisdropped
    union all
    select b.number, case when t.typtype = 'd' then t.typbasetype else t.typelem end
    from base b join pg_type t on t.oid = b.oid
    where t.typtype = 'd' or (t.typcategory = 'A' and t.typelem <> 0)
  )
  select a.attname::text,
         format_type(a.atttypid, a.atttypmod),
         ${s}.column_kind(a.atttypid),
         exists (select from base b where b.number = a.attnum and b.oid in ('int8'::regtype, 'numeric'::regtype)),
         a.attgenerated <> '',
         a.attidentity::text,
         not a.attnotnull,
         a.attnum
  from pg_attribute a
  where a.attrelid = of and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
  order by a.attnum
$$;
`;
