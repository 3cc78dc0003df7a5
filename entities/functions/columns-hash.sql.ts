/** SQL that tells a table's columns, their numbers and their types by one number: as a query sees the catalog. */
export const columnsHashOf = (relation: string): string =>
  `(select bit_xor(hashtextextended(attnum || ' ' || attname, atttypid::bigint))
    from pg_attribute
    where attrelid = ${relation} and attnum > 0 and not attisdropped and attgenerated <> 'v')`;

/**
 * SQL: whether a query sees the catalog as it is now. At the higher isolation levels it sees that of the transaction's
 * first statement, while rows are read and written as the table is now.
 */
export const seesCatalogOfNow = "left(current_setting('transaction_isolation'), 4) = 'read'";

/** SQL that tells the labels that enums have now, by one number; `enums` is an array of oids. */
export const labelsHashOf = (s: string, enums: string): string => `case when ${seesCatalogOfNow}
  then (select bit_xor(hashtextextended(enumlabel, oid::bigint)) from pg_enum where enumtypid = any (${enums}))
  else ${s}.labels_hash(${enums}) end`;

/**
 * The labels that an enum has now, by their oids. The labels in their order any transaction can read; an oid only a
 * query, and to a label that was added since its snapshot it gives none: that has a number below 0 instead. No cast to
 * text: the enum's owner may have made one.
 */
export const labelsNow = (s: string): string => `-- version: 2
create or replace function ${s}.labels_now(enum oid) returns table (oid bigint, label text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  labels text[];
  oids oid[];
begin
  if ${seesCatalogOfNow} then
    return query select e.oid::bigint, e.enumlabel::text from pg_enum e where e.enumtypid = enum;
    return;
  end if;
  execute format('select array(
    select format(''%%s'', e.label) from unnest(enum_range(null::%s)) with ordinality as e (label, ordinal)
    order by e.ordinal)', enum::regtype) into labels;
  oids := array(select e.oid from pg_enum e where e.enumtypid = enum order by e.enumsortorder);
  return query
    select case when cardinality(oids) = cardinality(labels) then oids[l.ordinal]::bigint else -l.ordinal end, l.label
    from unnest(labels) with ordinality as l (label, ordinal);
end $$;
`;

/** What labelsHashOf says, also to a transaction that sees an older catalog. */
export const labelsHash = (s: string): string => `-- version: 1
create or replace function ${s}.labels_hash(enums oid[]) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select bit_xor(hashtextextended(l.label, l.oid))
    from unnest(enums) as e (enum)
    cross join ${s}.labels_now(e.enum) l
  );
end $$;
`;

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
