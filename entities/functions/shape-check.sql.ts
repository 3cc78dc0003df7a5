import { labelsHashOf } from "./columns-hash.sql.js";
import { tailSleeps } from "./wake-tails.sql.js";

/**
 * The statement that finds, for the rows of a transition table, whether there is none, one, or more; whether the
 * table's columns and their types are still those of the last install; and whether a tail sleeps. A statement that
 * names columns would not even be planned when one of them is gone, would miss one that came since, and takes the form
 * of a value from its type.
 */
export const shapeCheck = (s: string): string => `-- version: 4
create or replace function ${s}.shape_check(t ${s}.tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('select count(*), case TG_RELID
        when %1$s then ${s}.columns_hash(%1$s, %1$s)
        else ${s}.columns_hash(TG_RELID, %1$s)
      end = %2$s%4$s, ${tailSleeps(s)}
    into affected, known, tail_sleeps
    from (select from %3$I limit 2) r',
    t.table_oid, ${s}.columns_hash(t.table_oid, t.table_oid), rows, ${s}.same_labels(t))
$$;
`;

/**
 * SQL to add to the check: whether the labels of the table's enums are still those of the last install; empty where it
 * has none.
 */
export const sameLabels = (s: string): string => `-- version: 2
create or replace function ${s}.same_labels(t ${s}.tracked) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  enums oid[] := (select array_agg(distinct ${s}.enum_of(a.atttypid)) from pg_attribute a
    where a.attrelid = t.table_oid and a.attnum > 0 and not a.attisdropped and ${s}.enum_of(a.atttypid) is not null);
begin
  return case when enums is null then ''
    else format(' and %s = %s', replace($sql$${labelsHashOf(s, "<enums>")}$sql$, '<enums>', quote_literal(enums) || '::oid[]'),
      ${labelsHashOf(s, "enums")}) end;
end $$;
`;
