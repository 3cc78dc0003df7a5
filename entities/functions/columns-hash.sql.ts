/** SQL that tells a table's columns and their types, in any order, by one number: as a query sees the catalog. */
export const columnsHashOf = (relation: string): string =>
  `(select bit_xor(hashtextextended(attname, atttypid::bigint)) from pg_attribute where attrelid = ${relation} and attnum > 0 and not attisdropped)`;

/**
 * The same number as a statement sees it that is planned now, whatever the transaction's snapshot shows of the catalog. It is said to be
 * immutable, which is true of a plan that reads the table or a transition table of it: PostgreSQL plans such a statement anew when
 * the table is altered, and until then the number is a constant of the plan, which costs nothing.
 */
export const columnsHash = (s: string): string => `-- version: 1
create or replace function ${s}.columns_hash(relation oid) returns bigint
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  names text[];
  hash bigint;
begin
  execute format('select array(select jsonb_object_keys(to_jsonb(r.*))) from (select (null::%s).*) r', relation::regclass) into names;
  execute format('select %s from (select (null::%s).*) r',
    (select string_agg(format('hashtextextended(%1$L, pg_typeof(r.%1$I)::oid::bigint)', name), ' # ') from unnest(names) name),
    relation::regclass) into hash;
  return hash;
end $$;
`;
