/**
 * The statement that finds, for the rows of a transition table, whether there is none, one, or more, and whether the table's
 * columns and their types are still those of the last install. A statement that names columns would not even be planned when one
 * of them is gone, would miss one that came since, and takes the form of a value from its type.
 */
export const shapeCheck = (s: string): string => `-- version: 2
create or replace function ${s}.shape_check(t ${s}.tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('select (select count(*) from (select from %I limit 2) r), bit_xor(hashtextextended(attname, atttypid::bigint)) = %s
    into affected, known
    from pg_attribute
    where attrelid = TG_RELID and attnum > 0 and not attisdropped', rows, bit_xor(hashtextextended(attname, atttypid::bigint)))
  from pg_attribute
  where attrelid = t.table_oid and attnum > 0 and not attisdropped
$$;
`;
