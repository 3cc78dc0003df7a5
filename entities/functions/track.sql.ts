/**
 * Tracks a table as `spec` says (src/install/spec.ts makes it from the entity's metadata) and puts capture on it.
 * Idempotent. Versions only rise: a rolling deploy's older process cannot take them back.
 * A name that another table's events carry is refused: they would be taken for this one's.
 */
export const track = (s: string): string => `-- version: 5
create or replace function ${s}.versions(spec jsonb) returns table (name text, action text, version integer)
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select '', v.key, v.value::integer from jsonb_each_text(spec -> 'versions') v
  union all
  select c.key, v.key, v.value::integer
  from jsonb_each(spec -> 'discriminatorEntities') c cross join lateral jsonb_each_text(c.value -> 'versions') v
$$;

-- What is tracked already: the table itself, also under another name; else one that is gone and whose place this one
-- takes.
create or replace function ${s}.tracked_id_of(of regclass, spec jsonb) returns smallint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.id
  from ${s}.tracked t
  where t.table_oid = of or t.table_name = ${s}.table_name(of)
    or (t.entity = tracked_id_of.spec ->> 'entity' or t.entity = any (${s}.names(tracked_id_of.spec -> 'formerly')))
      and not exists (select from pg_class c where c.oid = t.table_oid)
  order by t.table_oid = of desc, t.table_name = ${s}.table_name(of) desc
  limit 1
$$;

drop function if exists ${s}.track(regclass, jsonb);
create or replace function ${s}.track(of regclass, spec jsonb, columns jsonb, today text, fills jsonb) returns smallint
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  named text := ${s}.table_name(of);
  refused text;
  taken text;
  tracked_id smallint;
  is_new boolean := false;
  known jsonb;
  versions jsonb;
begin
  tracked_id := ${s}.tracked_id_of(of, spec);
  select format('%s has the name that the events of %s (%s) carry', named, t.entity, t.table_name) into taken
  from ${s}.tracked t
  where t.id is distinct from tracked_id and (t.table_name = named or named = any (t.former_tables));
  if taken is null then
    select format('the name %s belongs to the events of %s', spec ->> 'entity', t.table_name) into taken
    from ${s}.tracked t
    where t.id is distinct from tracked_id and (t.entity = spec ->> 'entity' or spec ->> 'entity' = any (t.former_entities));
  end if;
  if taken is not null then
    raise exception '%', taken using errcode = 'CH006';
  end if;
  if tracked_id is null then
    insert into ${s}.tracked (
      table_oid, table_name, entity, key_columns, versions, plain_columns, digit_columns, special_columns,
      json_columns, spec)
    values (of, named, spec ->> 'entity', '{}', '{}', '{}', '{}', '{}', '{}', '{}')
    returning id into tracked_id;
    is_new := true;
  end if;
  select t.spec, jsonb_build_object(
      'create', greatest((spec #>> '{versions,create}')::integer, (t.versions ->> 'create')::integer),
      'update', greatest((spec #>> '{versions,update}')::integer, (t.versions ->> 'update')::integer),
      'destroy', greatest((spec #>> '{versions,destroy}')::integer, (t.versions ->> 'destroy')::integer))
  into known, versions
  from ${s}.tracked t where t.id = tracked_id;
  if exists (select from ${s}.versions(known) k join ${s}.versions(spec) g using (name, action) where g.version < k.version) then
    spec := known; -- code that is older than what is installed knows less of the table
  end if;
  select string_agg(format('%I %s', c.name, c.type), ', ') into refused
  from ${s}.columns(of) c where c.kind = 'refused' and c.name <> all (${s}.names(spec -> 'excludedColumns'));
  if refused is not null then
    raise exception '% has columns of types that cannot be recorded: %', named, refused using errcode = 'CH002';
  end if;
  update ${s}.tracked t set
    table_oid = of,
    former_tables = case when t.table_name = named then t.former_tables else array_append(array_remove(t.former_tables, named), t.table_name) end,
    table_name = named,
    former_entities = case when t.entity = spec ->> 'entity' then t.former_entities else array_append(t.former_entities, t.entity) end,
    entity = spec ->> 'entity',
    discriminator_column = spec ->> 'discriminatorColumn',
    discriminator_entities = coalesce(spec -> 'discriminatorEntities', '{}'),
    key_columns = ${s}.names(spec -> 'keyColumns'),
    versions = versions,
    delete_date_column = spec ->> 'deleteDateColumn',
    tenant_column = spec ->> 'tenantColumn',
    plain_columns = ${s}.names(spec -> 'plainColumns'),
    digit_columns = (select coalesce(array_agg(c.name), '{}') from (
      select c.name from ${s}.columns(of) c where c.digits
      union -- the names that such columns had
      select b.value ->> 'name'
      from ${s}.schema_change x
      cross join lateral jsonb_array_elements(x.change -> 'before') b
      where x.tracked_id = t.id and b.value ->> 'type' ~ '^(bigint|numeric)') c),
    special_columns = (select coalesce(array_agg(c.name), '{}') from ${s}.columns(of) c
      where c.kind in ('text', 'jsonb', 'float', 'array', 'others')
      and c.name <> all (${s}.names(spec -> 'excludedColumns'))),
    json_columns = (select coalesce(array_agg(c.name), '{}') from ${s}.columns(of) c where c.type in ('json', 'jsonb')),
    excluded_columns = ${s}.names(spec -> 'excludedColumns'),
    actions = ${s}.names(spec -> 'actions'),
    audit_only = (spec ->> 'auditOnly')::boolean,
    capture = spec ->> 'capture',
    level = ${s}.level_of(of),
    columns = columns,
    hash = ${s}.shape_hash(of),
    storage = ${s}.storage_of(of),
    today = today,
    fills = fills,
    absent = false,
    spec = track.spec
  where t.id = tracked_id;
  perform ${s}.make_capture_function(tracked_id);
  perform ${s}.put_triggers(of, tracked_id, spec ->> 'capture');
  if spec ->> 'capture' = 'subscriber' then
    select string_agg(format('%I %s', c.name, c.type), ', ') into refused
    from ${s}.columns(of) c
    where c.name = any (${s}.names(spec -> 'keyColumns')) and ${s}.noted_value(of, c.number, 1) is null;
    if refused is not null then
      raise exception '% has a key of another role''s type, by which only trigger capture can record its rows: %',
        named, refused using errcode = 'CH002';
    end if;
    perform ${s}.make_flush_function(t) from ${s}.tracked t where t.id = tracked_id;
  end if;
  if is_new then -- no writer is under way: putting triggers on waited for all of them
    if ${s}.is_readable(of) and not row_security_active(of::oid) then
      execute format('update ${s}.tracked set had_rows = exists (select from %s) where id = %s', of, tracked_id);
    else
      update ${s}.tracked set had_rows = exists (
        select from (select of::oid as oid union select relid from pg_partition_tree(of)) r
        where pg_relation_size(r.oid) > 0)
      where id = tracked_id;
    end if;
  end if;
  return tracked_id;
end $$;
`;
