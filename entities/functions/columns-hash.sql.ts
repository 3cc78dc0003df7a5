/** SQL that tells a table's columns, their numbers and their types by one number: as a query sees the catalog. */
export const columnsHashOf = (relation: string): string =>
  `(select bit_xor(hashtextextended(attnum || ' ' || attname, atttypid::bigint))
    from pg_attribute
    where attrelid = ${relation} and attnum > 0 and not attisdropped)`;

/** SQL that tells the labels of enums, an array of oids as text, by one number. */
export const labelsHashOf = (enums: string): string =>
  `(select bit_xor(hashtextextended(enumlabel, oid::bigint)) from pg_enum where enumtypid = any (${enums}))`;

/**
 * The same number as columnsHashOf, as a statement sees it that is planned now. It is said to be immutable, which is
 * true of a plan that reads the table or a transition table of it: PostgreSQL plans such a statement anew when the
 * table is altered, and until then the number is a constant of the plan, which costs nothing.
 */
export const columnsHash = (s: string): string => `-- version: 2
drop function if exists ${s}.columns_hash(oid);
create or replace function ${s}.columns_hash(relation oid, root oid) returns bigint
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select bit_xor(hashtextextended(c.number || ' ' || c.name, c.type::bigint))
    from ${s}.columns_now(relation, root) c
  );
end $$;
`;
