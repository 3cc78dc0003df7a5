/**
 * The columns that a table has now, even if the transaction's snapshot shows an older catalog: a write at REPEATABLE
 * READ can meet a table that was altered after its snapshot was taken. A row
 * type knows the names in their order, and a privilege is null for a number that no column has any more. A partition's
 * columns get the numbers that their names have in `root`. Without virtual generated columns, which have no values.
 */
export const columnsNow = (s: string): string => `-- version: 2
create or replace function ${s}.columns_now(relation oid, root oid default null)
returns table (number smallint, name text, type oid)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  names text[];
  types oid[];
  numbers smallint[] := '{}';
  candidate smallint := 0;
begin
  if relation is null then return; end if;
  execute format('select array(select json_object_keys(to_json(r.*))) from (select (null::%s).*) r', relation::regclass)
  into names;
  while cardinality(numbers) < cardinality(names) and candidate < 1600 loop
    candidate := candidate + 1;
    if has_column_privilege(relation, candidate, 'select') is not null then
      numbers := numbers || candidate;
    end if;
  end loop;
  execute format('select array[%s]::oid[] from (select (null::%s).*) r',
    (select string_agg(format('pg_typeof(r.%I)', n.name), ', ' order by n.ordinal)
     from unnest(names) with ordinality as n (name, ordinal)),
    relation::regclass) into types;
  return query
    select coalesce(r.number, c.number), c.name, c.type
    from unnest(numbers, names, types) as c (number, name, type)
    left join ${s}.columns_now(nullif(root, relation)) r on r.name = c.name
    where not exists (
      select from pg_attribute a
      where a.attrelid = relation and a.attnum = c.number and a.attgenerated = 'v');
end $$;
`;

/** The enum that a type is made of, as itself, through a domain or as the element of an array; null for all others. */
export const enumOf = (s: string): string => `-- version: 1
create or replace function ${s}.enum_of(type oid) returns oid
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive made (oid, typtype) as (
    select t.oid, t.typtype from pg_type t where t.oid = type
    union all
    select t.oid, t.typtype
    from made m join pg_type f on f.oid = m.oid
    join pg_type t
      on t.oid = case when f.typtype = 'd' then f.typbasetype when f.typcategory = 'A' then nullif(f.typelem, 0) end
  )
  select oid from made where typtype = 'e' limit 1
$$;
`;
