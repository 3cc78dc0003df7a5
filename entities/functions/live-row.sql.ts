/**
 * SQL about the row that a table has now under a record's key: a statement may take a row away and put another in its
 * place, in an order that its transition tables do not tell (a DELETE in a WITH query, keys that ON UPDATE CASCADE
 * changes twice, a deferrable key that two rows have for a while). Null where reading the table would run code of
 * others or shows a part of its rows, and where a key is of a type that its image is not read back for.
 */
export const liveRow = (s: string): string => `-- version: 1
-- The rows of the table, as "t", whose key is that of "key_of": SQL for one column's value in its type, with %I for
-- its name.
create or replace function ${s}.live_rows(t ${s}.tracked, key_of text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('%s t where %s', t.table_oid::regclass,
    string_agg(
      ${s}.equality(t.table_oid, c.number, format('t.%I', c.name), format(key_of, c.name)), ' and ' order by c.number))
  from ${s}.columns(t.table_oid) c
  where c.name = any (t.key_columns) and ${s}.is_own(t.table_oid) and not row_security_active(t.table_oid)
  having count(*) > 0 and bool_and(c.kind in ('plain', 'float', 'array'))
$$;

-- Whether a row of the table, written by the command "written", is recorded already: by a later command of this
-- transaction.
create or replace function ${s}.is_recorded(t ${s}.tracked, record_key text, written text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('exists (
      select from ${s}.event e
      where e.table_name = any (%L::text[]) and e.record_key = %s and e.transaction_id = pg_current_xact_id()
      and e.cmin::text::bigint > (%s)::text::bigint)',
    ${s}.table_names(t.table_name), record_key, written)
$$;
`;
