/**
 * Whether the rows of a statement have the columns that the table had at the last install, null where there are no rows, and
 * whether there is one row alone.
 * A statement that names columns would not even be planned when one of them is gone, and would miss one that came since.
 */
export const shapeCheck = (s: string): string => `-- version: 2
create or replace function ${s}.shape_check(t ${s}.tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('select image ?& %1$L::text[] and image - %1$L::text[] = ''{}'', (select count(*) from (select from %2$I limit 2) r) = 1
    into known, single
    from (select to_jsonb(t.*) as image from %2$I t limit 1) i', array_agg(c.name), rows)
  from ${s}.columns(t.table_oid) c
$$;
`;
