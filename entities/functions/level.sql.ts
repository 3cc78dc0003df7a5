/**
 * At which level a table has to be captured. An inner statement's triggers fire before the outer's AFTER STATEMENT triggers, so
 * where the application has AFTER ROW triggers, which may write to the table again, capture must come at row level, before them.
 * So too in a partitioned table with a column that the database computes: into a partition whose columns lie in another
 * order than the table's, the transition table gets a row before that column is computed, with null for it (PostgreSQL
 * 14 to 18).
 * So too in a table that is itself a part of another: what is written to that one fires no statement trigger of this one.
 */
export const level = (s: string): string => `-- version: 3
create or replace function ${s}.level_of(of regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when exists (
    select from pg_trigger g
    where g.tgrelid in (select of union select p.relid from pg_partition_tree(of) p)
    and not g.tgisinternal and g.tgname not like ' chronicle %'
    and g.tgtype & 67 = 1 -- for each row, neither before (2) nor instead of (64)
  ) or exists (
    select from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.oid = of and c.relkind = 'p' and a.attgenerated = 's' and not a.attisdropped
  ) or exists (select from pg_inherits i where i.inhrelid = of) then 'row' else 'statement' end
$$;
-- Partitions and inheritance children can have no transition tables at row level: there each row is captured by itself.
create or replace function ${s}.row_by_row(of regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select c.relkind = 'p' or exists (select from pg_inherits i where i.inhrelid = of) from pg_class c where c.oid = of
$$;
`;
