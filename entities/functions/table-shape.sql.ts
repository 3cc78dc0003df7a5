import { labelsHashOf } from "./columns-hash.sql.js";

/**
 * The number of the shape that a table has now, null while it is that of the last install. A shape
 * that no install has seen is described in table_shape, for the next install to read. There is no unique key on it,
 * because a writer would then wait until another writer's description commits.
 */
export const noteShape = (s: string): string => `-- version: 2
create or replace function ${s}.note_shape(t ${s}.tracked, relation oid) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  enums oid[] := (
    select array_agg(distinct ${s}.enum_of(c.type))
    from ${s}.columns_now(relation) c
    where ${s}.enum_of(c.type) is not null
  );
  shape bigint := ${s}.columns_hash(relation, t.table_oid) # coalesce(${labelsHashOf(s, "enums")}, 0);
begin
  if shape = t.hash then
    return null;
  end if;
  if not exists (select from ${s}.table_shape k where k.tracked_id = t.id and k.hash = shape) then
    insert into ${s}.table_shape (tracked_id, hash, columns)
    select t.id, shape, jsonb_agg(jsonb_build_object(
        'number', c.number, 'name', c.name, 'typeId', c.type::bigint, 'labels', ${s}.labels_of(c.type)) order by c.number)
    from ${s}.columns_now(relation, t.table_oid) c;
  end if;
  return shape;
end $$;
`;

/**
 * The labels of the enum that a type is made of, by their oids, which a label keeps when it is renamed; null for all
 * other types.
 */
export const labelsOf = (s: string): string => `-- version: 2
create or replace function ${s}.labels_of(type oid) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_object_agg(l.oid, l.label)
  from ${s}.enum_of(type) e (enum)
  cross join ${s}.labels_now(e.enum) l
  where e.enum is not null
$$;
`;

/**
 * SQL over d.data of an event e, like tracked.today, under the names that columns have now: those of the last install,
 * and of shapes that capture saw since, are moved to the names that their numbers have.
 */
export const renamedSql = (s: string): string => `-- version: 1
create or replace function ${s}.moved_sql(data text, names jsonb) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when count(*) = 0 then data else format('(%s - %L::text[]%s)', data, array_agg(m.key order by m.key),
    coalesce(string_agg(
        format(' || case when %1$s ? %2$L then jsonb_build_object(%3$L, %1$s -> %2$L) else ''{}'' end',
          data, m.key, m.value),
        '' order by m.key)
      filter (where m.value is not null), '')) end
  from jsonb_each_text(names) m where m.key is distinct from m.value
$$;

create or replace function ${s}.renamed_sql(t ${s}.tracked, relation oid, names jsonb) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('case when e.shape is null then %s %s else d.data end',
    ${s}.moved_sql('(' || coalesce(t.today, 'd.data') || ')', coalesce(names, '{}')),
    (select string_agg(format('when e.shape = %s then %s', k.hash, ${s}.moved_sql('d.data', k.names)), ' ')
     from (
       select distinct on (k.hash) k.hash, (
         select coalesce(jsonb_object_agg(c.name, n.name), '{}')
         from jsonb_to_recordset(k.columns) as c (number smallint, name text)
         left join ${s}.columns_now(relation, t.table_oid) n on n.number = c.number) as names
       from ${s}.table_shape k where k.tracked_id = t.id
     ) k))
$$;
`;

/**
 * What capture knows of a table, under the names that its columns have now. What holds for a column's number or for its
 * name holds for it: a renamed column stays excluded, and one that has an excluded name, or that came since the last
 * install and was seen under one, is excluded. Plain is only what is so by both. The name of a column that is gone
 * counts for nothing if another known column has it now. If a new column has it, it counts, but not for the tenant,
 * which is recorded in the clear.
 */
export const asItIs = (s: string): string => `-- version: 3
create or replace function ${s}.as_it_is(t ${s}.tracked, relation oid) returns ${s}.tracked
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  names jsonb; -- what a column was called at the last install: what it is called now, null if it is gone
  meant jsonb; -- the same, and new columns under their own names
begin
  select jsonb_object_agg(o.name, n.name) filter (where o.name is not null),
    coalesce(array_agg(n.name) filter (where n.name = any (t.plain_columns) and o.name = any (t.plain_columns)), '{}'),
    coalesce(
      array_agg(n.name) filter (
        where n.name = any (t.excluded_columns) or o.name = any (t.excluded_columns) or n.was_excluded), '{}')
  into names, t.plain_columns, t.excluded_columns
  from (
    select n.name, o.name as was, o.name is null and exists (
        select from ${s}.table_shape k
        cross join jsonb_to_recordset(k.columns) as c (number smallint, name text)
        where k.tracked_id = t.id and c.number = n.number and c.name = any (t.excluded_columns)
      ) as was_excluded
    from ${s}.columns_now(relation, t.table_oid) n
    left join jsonb_to_recordset(t.columns) as o (number smallint, name text) on o.number = n.number
  ) n
  cross join lateral (select n.was as name) o
  where n.was is not null or n.name = any (t.excluded_columns) or n.was_excluded;
  names := (select jsonb_object_agg(o.name, null) from jsonb_to_recordset(t.columns) as o (name text))
    || coalesce(names, '{}');
  meant := coalesce((
    select jsonb_object_agg(n.name, n.name)
    from ${s}.columns_now(relation, t.table_oid) n
    where not exists (select from jsonb_to_recordset(t.columns) as o (number smallint) where o.number = n.number)
  ), '{}') || coalesce(jsonb_strip_nulls(names), '{}');
  t.key_columns := coalesce(
    case when meant ?& t.key_columns then (
      select array_agg(meant ->> k.name order by k.ordinal)
      from unnest(t.key_columns) with ordinality as k (name, ordinal)
    )
    else ( -- Some of them are gone: what the table has now.
      select array_agg(n.name order by k.ordinal)
      from pg_index i cross join unnest(i.indkey::smallint[]) with ordinality as k (number, ordinal)
      join ${s}.columns_now(relation) n on n.number = k.number
      where i.indrelid = relation and i.indisprimary
    ) end, t.key_columns);
  t.tenant_column := case when t.columns is null then meant else names end ->> t.tenant_column;
  t.delete_date_column := meant ->> t.delete_date_column;
  t.discriminator_column := meant ->> t.discriminator_column;
  t.today := ${s}.renamed_sql(t, relation, names);
  return t;
end $$;
`;

/** The number of the shape that a table has now: its columns, and the labels of their enums. */
export const shapeHash = (s: string): string => `-- version: 1
create or replace function ${s}.shape_hash(of oid) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  enums oid[] := (
    select array_agg(distinct ${s}.enum_of(c.type))
    from ${s}.columns_now(of) c
    where ${s}.enum_of(c.type) is not null
  );
begin
  return ${s}.columns_hash(of, of) # coalesce(${labelsHashOf(s, "enums")}, 0);
end $$;
`;

/**
 * A table's columns as install compares them with those of the last: `written` changes with every ALTER of the column.
 */
export const describe = (s: string): string => `-- version: 2
create or replace function ${s}.describe(of oid) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'typeId', a.atttypid::bigint,
      'written', a.xmin::text, 'generated', a.attgenerated <> '', 'labels', ${s}.labels_of(a.atttypid)
    ) order by a.attnum), '[]')
  from pg_attribute a
  where a.attrelid = of and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
$$;
`;

/**
 * Where a table's rows are, by oid: the file, which a rewrite replaces, and the bounds of a partition, with the columns
 * that they are over (null if a partition key is an expression).
 */
export const storageOf = (s: string): string => `-- version: 1
create or replace function ${s}.storage_of(of oid) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_object_agg(r.oid, jsonb_build_object(
    'name', c.relname, 'file', pg_relation_filenode(r.oid), 'bounds', pg_get_partition_constraintdef(r.oid),
    'by', b.columns))
  from (select of as oid union select p.relid from pg_partition_tree(of) p) r
  join pg_class c on c.oid = r.oid
  left join (
    select case when bool_or(k.number = 0) then null else jsonb_agg(distinct a.attname) end as columns
    from pg_partition_tree(of) t
    join pg_partitioned_table p on p.partrelid = t.relid
    cross join unnest(p.partattrs::smallint[]) as k (number)
    left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.number
  ) b on true
  where c.relkind <> 'p'
$$;
`;

/**
 * Whether a table is as the last install left it: the same table with the same columns, no values rewritten, no
 * partition gone, and all recorded. A rewrite by VACUUM FULL or CLUSTER touches no column; an ALTER of a column that
 * rewrites nothing keeps the files.
 */
export const isFollowed = (s: string): string => `-- version: 2
create or replace function ${s}.is_followed(t ${s}.tracked) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.columns is not null and t.storage is not null and t.unfinished is null
    and t.table_oid = to_regclass(t.table_name)::oid
    and not exists (
      select from (
        select * from pg_attribute
        where attrelid = t.table_oid and attnum > 0 and not attisdropped and attgenerated <> 'v') a
      full join jsonb_to_recordset(t.columns) as c (number smallint, name text, type text, "typeId" bigint, generated boolean, labels jsonb)
        on c.number = a.attnum
      where a.attname is distinct from c.name
      or a.atttypid::bigint is distinct from c."typeId"
      or format_type(a.atttypid, a.atttypmod) <> c.type
      or (a.attgenerated <> '') <> c.generated
      or c.labels is not null and ${s}.labels_of(a.atttypid) is distinct from c.labels)
    and not exists (
      select from jsonb_object_keys(t.storage) as k (oid)
      where k.oid::oid <> t.table_oid
      and not exists (select from pg_partition_ancestors(k.oid::oid) p where p.relid = t.table_oid))
    and (
      not exists (
        select from jsonb_each(t.storage) as k (oid, known)
        where (k.known ->> 'file')::oid is distinct from pg_relation_filenode(k.oid::oid))
      or not exists (
        select from jsonb_to_recordset(t.columns) as c (number smallint, written text)
        join pg_attribute a on a.attrelid = t.table_oid and a.attnum = c.number
        where a.xmin::text <> c.written))
$$;
`;
