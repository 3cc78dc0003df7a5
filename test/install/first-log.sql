-- What the first version of install() sent for one entity: the log that later versions have to bring up to date.
start transaction isolation level read committed; set local search_path = pg_catalog, pg_temp; set local extra_float_digits = 1; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; set local timezone = 'UTC'; set local bytea_output = 'hex'; set local lc_monetary = 'C'; set local xmloption = content; set local array_nulls = on; set local standard_conforming_strings = on; set local client_min_messages = 'warning';
set local lock_timeout = 250; select pg_advisory_xact_lock(hashtextextended('typeorm-chronicle install', 0));
create schema if not exists "chronicle";
create table "chronicle".installation (
  only_row boolean primary key default true check (only_row),
  step integer not null,
  fingerprint text not null,
  system_identifier text not null,
  epoch smallint not null default 1,
  lock_arguments text not null,
  require_actor boolean not null default false,
  installed_at timestamptz not null default clock_timestamp()
);

create table "chronicle".tracked (
  id smallint generated always as identity primary key,
  table_oid oid not null,
  table_name text collate "C" not null unique,
  former_tables text[] not null default '{}',
  entity text not null unique,
  former_entities text[] not null default '{}',
  discriminator_column text,
  discriminator_entities jsonb not null default '{}',
  key_columns text[] not null,
  versions jsonb not null,
  delete_date_column text,
  tenant_column text,
  plain_columns text[] not null,
  digit_columns text[] not null,
  special_columns text[] not null,
  json_columns text[] not null,
  excluded_columns text[] not null default '{}',
  actions text[] not null default '{create,update,destroy}',
  audit_only boolean not null default false,
  capture text not null default 'trigger' check (capture in ('trigger', 'subscriber')),
  level text not null default 'statement' check (level in ('statement', 'row')),
  had_rows boolean not null default false,
  baseline_complete boolean not null default false,
  baseline_position bigint,
  shape text not null,
  column_names text[] not null default '{}',
  spec jsonb not null
);

create table "chronicle".event (
  position bigint generated always as identity (cache 1) primary key,
  table_name text collate "C" not null,
  entity text not null,
  record_id jsonb not null,
  record_key text collate "C" not null,
  action text not null check (action in ('create', 'update', 'destroy')),
  action_name text,
  version integer not null,
  data jsonb not null,
  previous jsonb not null,
  actor_type text,
  actor_id text,
  actor_name text,
  metadata jsonb not null default '{}',
  tenant text,
  correlation_id text,
  causation_id text,
  transaction_id xid8 not null default pg_current_xact_id(),
  epoch smallint not null default 1,
  occurred_at timestamptz not null default clock_timestamp()
);
create index event_record on "chronicle".event (table_name, record_key, position);
create index event_order on "chronicle".event using brin (position, occurred_at, (transaction_id::text::bigint)) with (autosummarize = on);
create index event_baseline on "chronicle".event (table_name, position) where action_name = 'baseline';

create table "chronicle".event_sensitive (
  position bigint primary key,
  data jsonb not null,
  previous jsonb not null
);

create table "chronicle".bookmark (
  name text primary key,
  position bigint not null,
  snapshot pg_snapshot not null,
  epoch smallint not null default 1,
  created_at timestamptz not null default clock_timestamp()
);

create table "chronicle".commit_marker (
  transaction_id xid8 not null,
  epoch smallint not null default 1,
  position bigint not null,
  settled boolean not null default false,
  occurred_at timestamptz not null default clock_timestamp(),
  primary key (transaction_id, epoch)
);
create index commit_marker_position on "chronicle".commit_marker (position);
create index commit_marker_order on "chronicle".commit_marker using brin (position, occurred_at, (transaction_id::text::bigint)) with (autosummarize = on, pages_per_range = 16);
comment on table "chronicle".commit_marker is 'One position more for each transaction, drawn at its commit: only where tracked tables have deferrable constraints.';

create unlogged table "chronicle".sleeping_tail (
  id uuid primary key,
  until timestamptz not null
);

create table "chronicle".gate ();
comment on table "chronicle".gate is 'Always empty: transactions of a tracked application lock it in passing, so that a live replay can wait for them.';

drop type if exists "chronicle".change cascade; -- TypeORM's dropSchema drops tables and leaves types
create type "chronicle".change as (ordinal bigint, table_name text, old jsonb, new jsonb);

do $$ begin
  alter table "chronicle".event alter column data set compression lz4, alter column previous set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null; -- a server built without lz4 keeps pglz
end $$;
create table "chronicle".activity (
  id uuid primary key,
  occurred_at timestamptz not null,
  log text not null default 'default',
  action text not null,
  category text,
  outcome text not null check (outcome in ('success', 'failure', 'denied', 'error', 'unknown')),
  severity text not null check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
  actor_type text,
  actor_id text,
  actor_name text,
  subject text,
  tenant text,
  strategy text,
  resource_type text,
  resource_key text,
  params jsonb not null default '{}',
  details jsonb not null default '{}',
  error text,
  request jsonb,
  ip text generated always as (request ->> 'ip') stored,
  correlation_id text,
  causation_id text,
  trace_id text,
  span_id text,
  node text not null,
  source text not null default 'server' check (source in ('server', 'client'))
);
create index activity_time on "chronicle".activity (occurred_at, id);
create index activity_action on "chronicle".activity (action, outcome, occurred_at);
create index activity_subject on "chronicle".activity (subject, occurred_at) where subject is not null;
create index activity_actor on "chronicle".activity (actor_id, actor_type, occurred_at) where actor_id is not null;
create index activity_ip on "chronicle".activity (ip, occurred_at) where ip is not null;

alter table "chronicle".installation add column activity_retention_days double precision default 90;
-- version: 1
create or replace function "chronicle".names(list jsonb) returns text[]
language sql immutable as $$
  select coalesce(array_agg(value order by ordinal), '{}') from jsonb_array_elements_text(coalesce(nullif(list, 'null'), '[]')) with ordinality as l (value, ordinal)
$$;
-- version: 1
create or replace function "chronicle".table_name(of oid) returns text
language sql stable as $$
  select string_agg(case when part ~ '^[a-z_][a-z0-9_$]*$' then part else '"' || replace(part, '"', '""') || '"' end, '.' order by ordinal)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest(array[n.nspname::text, c.relname::text]) with ordinality as p (part, ordinal)
  where c.oid = of
$$;
-- version: 1
create or replace function "chronicle".column_kind(of oid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t pg_type;
  element text;
begin
  select * into t from pg_type where oid = of;
  if t.typtype = 'd' then return "chronicle".column_kind(t.typbasetype); end if;
  if t.oid in ('json'::regtype, 'xml'::regtype) or t.typtype = 'c' then return 'text'; end if;
  if t.oid = 'jsonb'::regtype then return 'jsonb'; end if;
  if t.oid in ('float4'::regtype, 'float8'::regtype) then return 'float'; end if;
  if t.oid in ('pg_node_tree'::regtype, 'pg_ndistinct'::regtype, 'pg_dependencies'::regtype, 'pg_mcv_list'::regtype)
    or t.typtype = 'p' then return 'refused'; end if;
  if t.typcategory = 'A' then
    if t.typelem = 0 or t.oid in ('int2vector'::regtype, 'oidvector'::regtype) then return 'text'; end if;
    element := "chronicle".column_kind(t.typelem);
    return case when element in ('plain', 'float') then 'array' when element = 'refused' then element else 'text' end;
  end if;
  if exists (select from pg_cast where castsource = of and casttarget in ('json'::regtype, 'jsonb'::regtype)) then
    return 'text';
  end if;
  return 'plain';
end $$;
-- version: 1
create or replace function "chronicle".columns(of regclass)
returns table (name text, type text, kind text, digits boolean, generated boolean, identity text, nullable boolean, number smallint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive base (number, oid) as (
    select attnum, atttypid from pg_attribute where attrelid = of and attnum > 0 and not attisdropped
    union all
    select b.number, case when t.typtype = 'd' then t.typbasetype else t.typelem end
    from base b join pg_type t on t.oid = b.oid
    where t.typtype = 'd' or (t.typcategory = 'A' and t.typelem <> 0)
  )
  select a.attname::text,
         format_type(a.atttypid, a.atttypmod),
         "chronicle".column_kind(a.atttypid),
         exists (select from base b where b.number = a.attnum and b.oid in ('int8'::regtype, 'numeric'::regtype)),
         a.attgenerated <> '',
         a.attidentity::text,
         not a.attnotnull,
         a.attnum
  from pg_attribute a
  where a.attrelid = of and a.attnum > 0 and not a.attisdropped
  order by a.attnum
$$;
-- version: 1
create or replace function "chronicle".is_text_sql(alias text, name text, kind text) returns text
language sql immutable as $$
  select format(case kind
    when 'text' then 'true'
    when 'jsonb' then 'jsonb_typeof(to_jsonb(%1$I.%2$I)) in (''null'', ''string'')'
    when 'float' then '%1$I.%2$I::text = ''-0'''
    when 'array' then '%1$I.%2$I::text ~ ''^[[]|-0[,}]'''
    else 'false'
  end, alias, name)
$$;
-- version: 1
create or replace function "chronicle".column_image_sql(alias text, name text, kind text) returns text
language sql immutable as $$
  select format(case kind
    when 'text' then 'to_jsonb(%1$I.%2$I::text)'
    when 'plain' then 'to_jsonb(%1$I.%2$I)'
    else 'case when %3$s then to_jsonb(%1$I.%2$I::text) else to_jsonb(%1$I.%2$I) end'
  end, alias, name, "chronicle".is_text_sql(alias, name, kind))
$$;
-- version: 3
create or replace function "chronicle".image_sql(of regclass, excluded text[] default '{}') returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select '('
    || case when bool_or(c.kind = 'text') then format('(select to_jsonb(r.*) from (select %s) r)',
         string_agg(format(case c.kind when 'text' then 't.%1$I::text as %1$I' else 't.%1$I' end, c.name), ', ' order by c.number) filter (where c.name <> all (excluded)))
       else 'to_jsonb(t.*)' end
    || coalesce(string_agg(format(' || case when %s then jsonb_build_object(%L, to_jsonb(t.%I::text)) else ''{}'' end', "chronicle".is_text_sql('t', c.name, c.kind), c.name, c.name), '' order by c.number)
         filter (where c.kind in ('jsonb', 'float', 'array') and c.name <> all (excluded)), '')
    || ')' || case when excluded = '{}' then '' else format(' - %L::text[]', excluded) end
  from "chronicle".columns(of) c
$$;
-- version: 1
create or replace function "chronicle".shape(of regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select string_agg(name || ' ' || type, ', ' order by number) from "chronicle".columns(of)
$$;
-- version: 1
create or replace function "chronicle".sent_context() returns text
language sql stable as $$
  select case when pg_catalog.starts_with(pg_catalog.current_query(), '/*chronicle:')
    then case when pg_catalog.strpos(pg_catalog.substr(pg_catalog.current_query(), 13, 4096), '*/') > 0
      then pg_catalog.split_part(pg_catalog.substr(pg_catalog.current_query(), 13, 4096), '*/', 1)
      else pg_catalog.split_part(pg_catalog.substr(pg_catalog.current_query(), 13), '*/', 1) -- in front of DO or CALL it may be large
    end
    else pg_catalog.current_setting(case when pg_catalog.current_query() is null then 'chronicle.statement' else 'chronicle.context' end, true) end
$$;
-- version: 2
create or replace function "chronicle".read_context(sent text) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  read jsonb;
begin
  read := convert_from(decode(sent, 'base64'), 'UTF8')::jsonb;
  if jsonb_typeof(read) = 'object' and coalesce(jsonb_typeof(read -> 'metadata'), 'object') = 'object'
    and (not read ? 'actor' or read #>> '{actor,type}' <> '' and jsonb_typeof(read #> '{actor,type}') = 'string' and jsonb_typeof(read #> '{actor,id}') = 'string')
  then return read; end if;
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
exception when others then
  return '{"metadata": {"chronicle": "the request context could not be read"}}';
end $$;
-- version: 2
create or replace function "chronicle".context() returns jsonb
language sql stable as $$
  select case when "chronicle".sent_context() <> '' then "chronicle".read_context("chronicle".sent_context()) end
$$;
-- version: 1
create or replace function "chronicle".record_key(record_id jsonb, key_columns text[]) returns text
language sql immutable parallel safe as $$
  select case when length(key) > 500 then 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex') else key end
  from (
    select case when cardinality(key_columns) = 1 then coalesce(record_id ->> key_columns[1], '')
                else (select jsonb_agg(record_id -> name order by ordinal)::text from unnest(key_columns) with ordinality as k (name, ordinal))
           end
  ) made (key)
$$;
-- version: 1
create or replace function "chronicle".record_key_of(of regclass, id jsonb, key_columns text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set timezone = 'UTC' set extra_float_digits = 1 as $$
declare
  image jsonb;
begin
  if not id ?& key_columns then return null; end if;
  execute format('select to_jsonb(r.*) from jsonb_populate_record(null::%s, $1) r', of) into image using id;
  return "chronicle".record_key(image, key_columns);
end $$;
-- version: 1
create or replace function "chronicle".table_names(of text) returns text[]
language sql stable as $$
  select coalesce((select array_prepend(t.table_name, t.former_tables) from "chronicle".tracked t where t.table_name = of), array[of])
$$;
-- version: 1
create or replace function "chronicle".number_as_text(value jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case jsonb_typeof(value)
    when 'number' then to_jsonb(value #>> '{}')
    when 'array' then (select coalesce(jsonb_agg("chronicle".number_as_text(element) order by ordinal), '[]') from jsonb_array_elements(value) with ordinality as e (element, ordinal))
    else value
  end
$$;
-- version: 1
create or replace function "chronicle".digits_as_text(data jsonb, names text[]) returns jsonb
language sql immutable parallel safe as $$
  select case when data ?| names then (
    select jsonb_object_agg(d.key, case when d.key <> all (names) then d.value else "chronicle".number_as_text(d.value) end)
    from jsonb_each(data) d
  ) else data end
$$;
-- version: 1
create or replace function "chronicle".update_effects(t "chronicle".tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($effects$
    select e.*
    from (select row_number() over () as " chronicle ordinal", t.* from old_rows t) o
    full join (select row_number() over () as " chronicle ordinal", t.* from new_rows t) n using (" chronicle ordinal")
    cross join lateral (select %1$s offset 0) c
    cross join lateral (
      select 1 as part, 'update' as action, jsonb_build_object(%2$s) as image, %3$s as data, %4$s as previous where not (%5$s)
      union all
      select 0, 'destroy', r.image, '{}'::jsonb, r.image from (select %6$s as image from (select o.*) t) r where %5$s
      union all
      select 1, 'create', r.image, r.image, '{}'::jsonb from (select %6$s as image from (select n.*) t) r where %5$s
    ) e
    where e.action = any (%7$L::text[]) and (e.action <> 'update' or e.data <> '{}')
    order by e.part, " chronicle ordinal"$effects$,
    string_agg(format('row(o.%1$I)::record *<> row(n.%1$I)::record as c%2$s', c.name, c.number), ', ' order by c.number),
    string_agg(format('%L, %s', c.name, n.image), ', ' order by c.number) filter (where c.name = any (t.key_columns) or c.name in (t.discriminator_column, t.tenant_column)),
    string_agg(format('case when c.c%s then jsonb_build_object(%L, %s) else ''{}'' end', c.number, c.name, n.image), ' || ' order by c.number),
    string_agg(format('case when c.c%s then jsonb_build_object(%L, %s) else ''{}'' end', c.number, c.name, o.image), ' || ' order by c.number),
    string_agg(format('c.c%s', c.number), ' or ' order by c.number) filter (where c.name = any (t.key_columns)),
    "chronicle".image_sql(t.table_oid, t.excluded_columns) || ' - '' chronicle ordinal''',
    t.actions)
  from "chronicle".columns(t.table_oid) c
  cross join lateral "chronicle".column_image_sql('o', c.name, c.kind) as o (image)
  cross join lateral "chronicle".column_image_sql('n', c.name, c.kind) as n (image)
  where c.name <> all (t.excluded_columns)
$$;
-- version: 1
create or replace function "chronicle".single_update_effect(t "chronicle".tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($effect$
    select 'update' as action, r.new as image, r.new - c.same as data, r.old - c.same as previous
    from (select (select %1$s from old_rows t) as old, (select %1$s from new_rows t) as new offset 0) r
    cross join lateral (select array(select o.key from jsonb_each_text(r.old) o where r.new ->> o.key is not distinct from o.value) as same offset 0) c
    where c.same @> %2$L::text[] and r.new - c.same <> '{}' and 'update' = any (%3$L::text[])$effect$,
    "chronicle".image_sql(t.table_oid, t.excluded_columns),
    t.key_columns,
    t.actions)
$$;
-- version: 2
create or replace function "chronicle".capture_statement(tracked_id smallint, operation text, context text, known boolean default false, relation regclass default null) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t "chronicle".tracked;
  image text;
  child text;
  single text;
  hidden text[];
begin
  select * into t from "chronicle".tracked where id = tracked_id;
  image := "chronicle".image_sql(t.table_oid, t.excluded_columns);
  child := format('%L::jsonb -> (image ->> %L)', t.discriminator_entities, t.discriminator_column);
  single := case when cardinality(t.key_columns) = 1 then quote_literal(t.key_columns[1]) end;
  hidden := array(select c.name from "chronicle".columns(t.table_oid) c where c.name <> all (t.plain_columns || t.excluded_columns));
  return format(case when not known then $any$
with drawn as materialized (select nextval('"chronicle".event_position_seq') as position, e.* from (%1$s) e),
apart as (
  insert into "chronicle".event_sensitive (position, data, previous)
  select position, data - %9$L::text[], previous - %9$L::text[]
  from drawn
  where data ?| hidden or previous ?| hidden
)
insert into "chronicle".event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
overriding system value
select position, %2$L, %3$s, jsonb_build_object(%4$s), %5$s, action,
    coalesce(null, %10$s ->> 'actionName', case
      when action <> 'update' or %7$L is null or not data ? %7$L then null
      when previous ->> %7$L is null then 'soft-remove'
      when data ->> %7$L is null then 'recover'
    end),
    (%6$s ->> action)::integer, case when hidden is null then data else data - hidden end, case when hidden is null then previous else previous - hidden end,
    %10$s #>> '{actor,type}', %10$s #>> '{actor,id}', %10$s #>> '{actor,name}',
    coalesce(%10$s -> 'metadata', '{}'),
    coalesce(image ->> %8$L, %10$s ->> 'tenant'),
    %10$s ->> 'correlationId', %10$s ->> 'causationId'
from drawn
order by position
$any$
      when hidden = '{}' then $plain$
insert into "chronicle".event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
overriding system value
select position, %2$L, %3$s, jsonb_build_object(%4$s), %5$s, action,
    coalesce(null, %10$s ->> 'actionName', case
      when action <> 'update' or %7$L is null or not data ? %7$L then null
      when previous ->> %7$L is null then 'soft-remove'
      when data ->> %7$L is null then 'recover'
    end),
    (%6$s ->> action)::integer, data, previous,
    %10$s #>> '{actor,type}', %10$s #>> '{actor,id}', %10$s #>> '{actor,name}',
    coalesce(%10$s -> 'metadata', '{}'),
    coalesce(image ->> %8$L, %10$s ->> 'tenant'),
    %10$s ->> 'correlationId', %10$s ->> 'causationId'
from (select nextval('"chronicle".event_position_seq') as position, e.* from (%1$s) e) d
$plain$
      else $split$
with drawn as materialized (select nextval('"chronicle".event_position_seq') as position, e.* from (%1$s) e),
apart as (
  insert into "chronicle".event_sensitive (position, data, previous)
  select position, data - %9$L::text[], previous - %9$L::text[]
  from drawn
  where data ?| %11$L::text[] or previous ?| %11$L::text[]
)
insert into "chronicle".event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
overriding system value
select position, %2$L, %3$s, jsonb_build_object(%4$s), %5$s, action,
    coalesce(null, %10$s ->> 'actionName', case
      when action <> 'update' or %7$L is null or not data ? %7$L then null
      when previous ->> %7$L is null then 'soft-remove'
      when data ->> %7$L is null then 'recover'
    end),
    (%6$s ->> action)::integer, case when %11$L::text[] is null then data else data - %11$L::text[] end, case when %11$L::text[] is null then previous else previous - %11$L::text[] end,
    %10$s #>> '{actor,type}', %10$s #>> '{actor,id}', %10$s #>> '{actor,name}',
    coalesce(%10$s -> 'metadata', '{}'),
    coalesce(image ->> %8$L, %10$s ->> 'tenant'),
    %10$s ->> 'correlationId', %10$s ->> 'causationId'
from drawn
order by position
$split$ end,
    case
      when known and operation = 'UPDATE' then "chronicle".update_effects(t)
      when known and operation = 'UPDATE ONE' then "chronicle".single_update_effect(t)
      when known and operation = 'INSERT' then format('select ''create'' as action, image, image as data, ''{}''::jsonb as previous from (select %s as image from new_rows t offset 0) t where ''create'' = any (%L)', image, t.actions)
      when known and operation = 'DELETE' then format('select ''destroy'' as action, image, ''{}''::jsonb as data, image as previous from (select %s as image from old_rows t offset 0) t where ''destroy'' = any (%L)', image, t.actions)
      else format($effects$
  with change as materialized (%1$s)
  select e.*, (select array_agg(k.name) from jsonb_object_keys(e.image) as k (name) where k.name <> all (%3$L::text[])) as hidden
  from (
    select c.*, 1 as part, 'update' as action, c.new as image, c.new - d.same as data, c.old - d.same as previous
    from change c
    cross join lateral (select array(select o.key from jsonb_each_text(c.old) o where c.new ->> o.key is not distinct from o.value) as same offset 0) d
    where %2$s
    union all
    select c.*, 0, 'destroy', c.old, '{}'::jsonb, c.old
    from change c
    where c.old is not null and (%2$s) is not true
    union all
    select c.*, 1, 'create', c.new, c.new, '{}'::jsonb
    from change c
    where c.new is not null and (%2$s) is not true
  ) e
  where e.action = any (%4$L::text[]) and (e.action <> 'update' or e.data <> '{}')
  order by e.part, e.ordinal$effects$,
        case operation
          when 'ROW' then 'select 1 as ordinal, old_image as old, new_image as new'
          when 'INSERT' then format('select row_number() over () as ordinal, null::jsonb as old, %s as new from new_rows t', image)
          when 'DELETE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from old_rows t', image)
          when 'TRUNCATE' then format('select row_number() over () as ordinal, %s as old, null::jsonb as new from only %s t', image, relation)
          else format('select ordinal, o.image as old, n.image as new
            from (select row_number() over () as ordinal, %1$s as image from old_rows t) o
            full join (select row_number() over () as ordinal, %1$s as image from new_rows t) n using (ordinal)', image)
        end,
        (select string_agg(format('c.old ->> %1$L = c.new ->> %1$L', name), ' and ') from unnest(t.key_columns) as k (name)),
        t.plain_columns,
        t.actions)
    end,
    t.table_name,
    case when t.discriminator_column is null then quote_literal(t.entity) else format('coalesce(%s ->> ''entity'', %L)', child, t.entity) end,
    (select string_agg(format('%1$L, image -> %1$L', name), ', ') from unnest(t.key_columns) as k (name)),
    case when single is null then format('"chronicle".record_key(image, %L)', t.key_columns)
         else format('case when length(image ->> %1$s) > 500 then "chronicle".record_key(image, %2$L) else image ->> %1$s end', single, t.key_columns) end,
    case when t.discriminator_column is null then format('%L::jsonb', t.versions) else format('coalesce(%s -> ''versions'', %L::jsonb)', child, t.versions) end,
    t.delete_date_column,
    t.tenant_column,
    t.plain_columns,
    context,
    hidden);
end $$;
-- version: 2
create or replace function "chronicle".shape_check(t "chronicle".tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('select (select count(*) from (select from %I limit 2) r), bit_xor(hashtextextended(attname, atttypid::bigint)) = %s
    into affected, known
    from pg_attribute
    where attrelid = TG_RELID and attnum > 0 and not attisdropped', rows, bit_xor(hashtextextended(attname, atttypid::bigint)))
  from pg_attribute
  where attrelid = t.table_oid and attnum > 0 and not attisdropped
$$;
-- version: 1
create or replace function "chronicle".level_of(of regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when exists (
    select from pg_trigger g
    where g.tgrelid in (select of union select p.relid from pg_partition_tree(of) p)
    and not g.tgisinternal and g.tgname not like ' chronicle %'
    and g.tgtype & 67 = 1 -- for each row, neither before (2) nor instead of (64)
  ) then 'row' else 'statement' end
$$;
-- Partitions and inheritance children can have no transition tables at row level: there each row is captured by itself.
create or replace function "chronicle".row_by_row(of regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select c.relkind = 'p' or exists (select from pg_inherits i where i.inhrelid = of) from pg_class c where c.oid = of
$$;
-- version: 1
create or replace function "chronicle".capture_rows(t "chronicle".tracked, out declared text, out first text, out written text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  image text := 'select ' || "chronicle".image_sql(t.table_oid, t.excluded_columns) || ' from (select ($1).*) t';
  shape bigint := (select bit_xor(hashtextextended(attname, atttypid::bigint)) from pg_attribute where attrelid = t.table_oid and attnum > 0 and not attisdropped);
begin
  if t.level = 'row' and "chronicle".row_by_row(t.table_oid) then
    declared := 'old_image jsonb; new_image jsonb;';
    written := format($body$if TG_LEVEL = 'ROW' then
    select bit_xor(hashtextextended(attname, atttypid::bigint)) = %1$s into known from pg_attribute where attrelid = TG_RELID and attnum > 0 and not attisdropped;
    if TG_OP <> 'INSERT' then
      execute case when known then %2$L else 'select ' || "chronicle".image_sql(TG_RELID, %3$L) || ' from (select ($1).*) t' end into old_image using old;
    end if;
    if TG_OP <> 'DELETE' then
      execute case when known then %2$L else 'select ' || "chronicle".image_sql(TG_RELID, %3$L) || ' from (select ($1).*) t' end into new_image using new;
    end if;
    %4$s;
    return null;
  end if;$body$, shape, image, t.excluded_columns, "chronicle".capture_statement(t.id, 'ROW', 'context'));
  elsif t.level = 'row' then
    declared := 'is_first boolean;';
    first := $body$if TG_LEVEL = 'ROW' then
    if TG_OP = 'DELETE' then
      is_first := old *= (select row(t.*) from old_rows t limit 1);
    else
      is_first := new *= (select row(t.*) from new_rows t limit 1);
    end if;
    if not is_first then return null; end if;
  end if;$body$;
  end if;
end $$;
-- version: 2
create or replace function "chronicle".make_capture_function(tracked_id smallint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  t "chronicle".tracked;
  setup "chronicle".installation;
  at_row_level record;
begin
  select * into t from "chronicle".tracked where id = tracked_id;
  select * into setup from "chronicle".installation;
  select * into at_row_level from "chronicle".capture_rows(t);
  execute format($header$
create or replace function "chronicle".%I() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set bytea_output = 'hex'
set lc_monetary = 'C'
as %L$header$, 'capture_' || tracked_id, format($function$
declare
  sent text := "chronicle".sent_context();
  context jsonb := case when sent <> '' then "chronicle".read_context(sent) end;
  known boolean := false;
  affected integer;
  locked text;
  %11$s
begin
  %12$s
  if TG_OP in ('INSERT', 'UPDATE') then
    %4$s;
  elsif TG_OP = 'DELETE' then
    %5$s;
  end if;
  if affected = 0 then return null; end if;
  %2$s
  %14$s
  locked := pg_advisory_xact_lock_shared(%3$s);
  %13$s
  if not known then
    execute "chronicle".capture_statement(%6$s::smallint, TG_OP, '$1', relation => TG_RELID) using context;
  elsif TG_OP = 'INSERT' then
    %7$s;
  elsif TG_OP = 'UPDATE' then
    if affected = 1 then
      %8$s;
    end if;
    if affected > 1 or not found then
      %9$s;
    end if;
  else
    %10$s;
  end if;
  return null;
end $function$,
    'capture_' || tracked_id,
    case when setup.require_actor then $actor$if context -> 'actor' is null then
    raise exception 'a tracked write on % needs an actor', TG_TABLE_NAME using errcode = 'CH001';
  end if;$actor$ else '' end,
    setup.lock_arguments,
    case when at_row_level.written is null then "chronicle".shape_check(t, 'new_rows') else 'null' end,
    case when at_row_level.written is null then "chronicle".shape_check(t, 'old_rows') else 'null' end,
    tracked_id,
    "chronicle".capture_statement(tracked_id, 'INSERT', 'context', known => true),
    "chronicle".capture_statement(tracked_id, 'UPDATE ONE', 'context', known => true),
    "chronicle".capture_statement(tracked_id, 'UPDATE', 'context', known => true),
    "chronicle".capture_statement(tracked_id, 'DELETE', 'context', known => true),
    at_row_level.declared, at_row_level.first, at_row_level.written,
    case when exists (select from pg_trigger g where g.tgrelid = t.table_oid and g.tgdeferrable and not g.tgisinternal)
      then $remember$perform set_config('chronicle.statement', coalesce(sent, ''), true);$remember$ end));
  -- Whoever may execute it could put it on a table of their own and so write events of this one.
  execute format('revoke all on function "chronicle".%I() from public', 'capture_' || tracked_id);
end $make$;
-- version: 1
create or replace function "chronicle".unfit_triggers(of regclass, tracked_id smallint, capture text)
returns table (relation regclass, name text, problem text, definition text, cloned boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with relation as (
    select of::oid as oid, 0 as depth union select p.relid, p.level from pg_partition_tree(of) p
  ),
  kind as materialized (
    select "chronicle".level_of(of) as level, "chronicle".row_by_row(of) as row_by_row, p.oid as function
    from (select) one left join pg_proc p on p.pronamespace = '"chronicle"'::regnamespace and p.proname = 'capture_' || tracked_id
  ),
  wanted as (
    select r.oid, r.depth, v.name || '' as name, k.function,
      v.name <> ' chronicle truncate' and k.level = 'row' as per_row,
      case when k.level = 'statement' or not k.row_by_row then v.referencing else '' end as referencing,
      v.event
    from relation r cross join kind k cross join (values
      (' chronicle insert', 'after insert', 'referencing new table as new_rows'),
      (' chronicle update', 'after update', 'referencing old table as old_rows new table as new_rows'),
      (' chronicle delete', 'after delete', 'referencing old table as old_rows'),
      (' chronicle truncate', 'before truncate', '')
    ) as v (name, event, referencing)
    where capture = 'trigger'
  ),
  present as (
    select g.tgrelid as oid, g.tgname::text as name, g.tgfoid as function, g.tgtype & 1 = 1 as per_row, g.tgenabled in ('O', 'A') as enabled,
      g.tgoldtable is not null or g.tgnewtable is not null as referencing, g.tgparentid <> 0 as cloned
    from pg_trigger g join relation r on r.oid = g.tgrelid join pg_proc p on p.oid = g.tgfoid
    where g.tgname like ' chronicle %' and p.pronamespace = '"chronicle"'::regnamespace
  )
  select oid::regclass, name, case when p.oid is null then 'missing' when w.oid is null or not f.fits then 'unfit' else 'disabled' end,
    format('create trigger %I %s on %s %s for each %s execute function %s()', name, w.event, oid::regclass, w.referencing, case when w.per_row then 'row' else 'statement' end, w.function::regproc),
    coalesce(p.cloned, false)
  from wanted w full join present p using (oid, name)
  cross join lateral (select p.function = w.function and p.per_row = w.per_row and p.referencing = (w.referencing <> '') as fits) f
  where f.fits is not true or not p.enabled
  order by w.depth, name
$$;
-- version: 1
create or replace function "chronicle".put_triggers(of regclass, tracked_id smallint, capture text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  trigger record;
begin
  for trigger in select * from "chronicle".unfit_triggers(of, tracked_id, capture) u where u.problem = 'unfit' and not u.cloned loop
    execute format('drop trigger %I on %s', trigger.name, trigger.relation);
  end loop;
  for trigger in select * from "chronicle".unfit_triggers(of, tracked_id, capture) loop
    if trigger.problem = 'disabled' then
      execute format('alter table only %s enable trigger %I', trigger.relation, trigger.name);
    elsif not exists (select from pg_trigger g where g.tgrelid = trigger.relation and g.tgname = trigger.name) then
      execute trigger.definition; -- of a partitioned table: its partitions have it by that
    end if;
  end loop;
end $$;
-- version: 2
create or replace function "chronicle".versions(spec jsonb) returns table (name text, action text, version integer)
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select '', v.key, v.value::integer from jsonb_each_text(spec -> 'versions') v
  union all
  select c.key, v.key, v.value::integer
  from jsonb_each(spec -> 'discriminatorEntities') c cross join lateral jsonb_each_text(c.value -> 'versions') v
$$;

create or replace function "chronicle".track(of regclass, spec jsonb) returns smallint
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  named text := "chronicle".table_name(of);
  refused text;
  taken text;
  tracked_id smallint;
  is_new boolean := false;
  known jsonb;
  versions jsonb;
begin
  -- The table itself, also under another name; else one that is gone and whose place this one takes.
  select t.id into tracked_id
  from "chronicle".tracked t
  where t.table_oid = of or t.table_name = named
    or (t.entity = spec ->> 'entity' or t.entity = any ("chronicle".names(spec -> 'formerly'))) and not exists (select from pg_class c where c.oid = t.table_oid)
  order by t.table_oid = of desc, t.table_name = named desc
  limit 1;
  select format('%s has the name that the events of %s (%s) carry', named, t.entity, t.table_name) into taken
  from "chronicle".tracked t
  where t.id is distinct from tracked_id and (t.table_name = named or named = any (t.former_tables));
  if taken is null then
    select format('the name %s belongs to the events of %s', spec ->> 'entity', t.table_name) into taken
    from "chronicle".tracked t
    where t.id is distinct from tracked_id and (t.entity = spec ->> 'entity' or spec ->> 'entity' = any (t.former_entities));
  end if;
  if taken is not null then
    raise exception '%', taken using errcode = 'CH006';
  end if;
  if tracked_id is null then
    insert into "chronicle".tracked (table_oid, table_name, entity, key_columns, versions, plain_columns, digit_columns, special_columns, json_columns, shape, spec)
    values (of, named, spec ->> 'entity', '{}', '{}', '{}', '{}', '{}', '{}', '', '{}')
    returning id into tracked_id;
    is_new := true;
  end if;
  select t.spec, jsonb_build_object(
      'create', greatest((spec #>> '{versions,create}')::integer, (t.versions ->> 'create')::integer),
      'update', greatest((spec #>> '{versions,update}')::integer, (t.versions ->> 'update')::integer),
      'destroy', greatest((spec #>> '{versions,destroy}')::integer, (t.versions ->> 'destroy')::integer))
  into known, versions
  from "chronicle".tracked t where t.id = tracked_id;
  if exists (select from "chronicle".versions(known) k join "chronicle".versions(spec) g using (name, action) where g.version < k.version) then
    spec := known; -- code that is older than what is installed knows less of the table
  end if;
  select string_agg(format('%I %s', c.name, c.type), ', ') into refused
  from "chronicle".columns(of) c where c.kind = 'refused' and c.name <> all ("chronicle".names(spec -> 'excludedColumns'));
  if refused is not null then
    raise exception '% has columns of types that cannot be recorded: %', named, refused using errcode = 'CH002';
  end if;
  update "chronicle".tracked t set
    table_oid = of,
    former_tables = case when t.table_name = named then t.former_tables else array_append(array_remove(t.former_tables, named), t.table_name) end,
    table_name = named,
    former_entities = case when t.entity = spec ->> 'entity' then t.former_entities else array_append(t.former_entities, t.entity) end,
    entity = spec ->> 'entity',
    discriminator_column = spec ->> 'discriminatorColumn',
    discriminator_entities = coalesce(spec -> 'discriminatorEntities', '{}'),
    key_columns = "chronicle".names(spec -> 'keyColumns'),
    versions = versions,
    delete_date_column = spec ->> 'deleteDateColumn',
    tenant_column = spec ->> 'tenantColumn',
    plain_columns = "chronicle".names(spec -> 'plainColumns'),
    digit_columns = (select coalesce(array_agg(c.name), '{}') from "chronicle".columns(of) c where c.digits),
    special_columns = (select coalesce(array_agg(c.name), '{}') from "chronicle".columns(of) c
      where c.kind in ('text', 'jsonb', 'float', 'array') and c.name <> all ("chronicle".names(spec -> 'excludedColumns'))),
    json_columns = (select coalesce(array_agg(c.name), '{}') from "chronicle".columns(of) c where c.type in ('json', 'jsonb')),
    excluded_columns = "chronicle".names(spec -> 'excludedColumns'),
    actions = "chronicle".names(spec -> 'actions'),
    audit_only = (spec ->> 'auditOnly')::boolean,
    capture = spec ->> 'capture',
    level = "chronicle".level_of(of),
    shape = "chronicle".shape(of),
    column_names = (select array_agg(c.name) from "chronicle".columns(of) c),
    spec = track.spec
  where t.id = tracked_id;
  perform "chronicle".make_capture_function(tracked_id);
  perform "chronicle".put_triggers(of, tracked_id, spec ->> 'capture');
  if spec ->> 'capture' = 'subscriber' then
    perform "chronicle".make_flush_function(t) from "chronicle".tracked t where t.id = tracked_id;
  end if;
  if is_new then -- no writer is under way: putting triggers on waited for all of them
    execute format('update "chronicle".tracked set had_rows = exists (select from %s) where id = %s', of, tracked_id);
  end if;
  return tracked_id;
end $$;
-- version: 2
create or replace function "chronicle".append(changes "chronicle".change[], context jsonb default null, named text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before bigint := (select coalesce(max(position), 0) from "chronicle".event);
  unknown text := (select string_agg(distinct c.table_name, ', ') from unnest(changes) c where not exists (select from "chronicle".tracked t where t.table_name = c.table_name));
begin
  if unknown is not null then
    raise exception 'not tracked: %', unknown using errcode = 'CH003';
  end if;
  execute format('select pg_advisory_xact_lock_shared(%s)', (select lock_arguments from "chronicle".installation));
  
with drawn as materialized (select nextval('"chronicle".event_position_seq') as position, e.* from (
  with change as materialized (select c.ordinal, c.old, c.new, t.*, t.discriminator_entities -> (coalesce(c.new, c.old) ->> t.discriminator_column) as child
      from unnest(changes) c join "chronicle".tracked t on t.table_name = c.table_name)
  select e.*, (select array_agg(k.name) from jsonb_object_keys(e.image) as k (name) where k.name <> all (plain_columns)) as hidden
  from (
    select c.*, 1 as part, 'update' as action, c.new as image, c.new - d.same as data, c.old - d.same as previous
    from change c
    cross join lateral (select array(select o.key from jsonb_each_text(c.old) o where c.new ->> o.key is not distinct from o.value) as same offset 0) d
    where c.old is not null and c.new is not null and "chronicle".record_key(c.old, c.key_columns) = "chronicle".record_key(c.new, c.key_columns)
    union all
    select c.*, 0, 'destroy', c.old, '{}'::jsonb, c.old
    from change c
    where c.old is not null and (c.old is not null and c.new is not null and "chronicle".record_key(c.old, c.key_columns) = "chronicle".record_key(c.new, c.key_columns)) is not true
    union all
    select c.*, 1, 'create', c.new, c.new, '{}'::jsonb
    from change c
    where c.new is not null and (c.old is not null and c.new is not null and "chronicle".record_key(c.old, c.key_columns) = "chronicle".record_key(c.new, c.key_columns)) is not true
  ) e
  where e.action = any (actions) and (e.action <> 'update' or e.data <> '{}')
  order by e.part, e.ordinal) e),
apart as (
  insert into "chronicle".event_sensitive (position, data, previous)
  select position, data - plain_columns, previous - plain_columns
  from drawn
  where data ?| hidden or previous ?| hidden
)
insert into "chronicle".event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
overriding system value
select position, table_name, coalesce(child ->> 'entity', entity), (select jsonb_object_agg(k.name, image -> k.name) from unnest(key_columns) as k (name)), "chronicle".record_key(image, key_columns), action,
    coalesce(named, context ->> 'actionName', case
      when action <> 'update' or delete_date_column is null or not data ? delete_date_column then null
      when previous ->> delete_date_column is null then 'soft-remove'
      when data ->> delete_date_column is null then 'recover'
    end),
    (coalesce(child -> 'versions', versions) ->> action)::integer, case when hidden is null then data else data - hidden end, case when hidden is null then previous else previous - hidden end,
    context #>> '{actor,type}', context #>> '{actor,id}', context #>> '{actor,name}',
    coalesce(context -> 'metadata', '{}'),
    coalesce(image ->> tenant_column, context ->> 'tenant'),
    context ->> 'correlationId', context ->> 'causationId'
from drawn
order by position
;
  return (select count(*) from "chronicle".event where position > before and transaction_id = pg_current_xact_id());
end $$;
-- version: 1
create or replace aggregate "chronicle".merge(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}', parallel = safe);
-- version: 1
create or replace function "chronicle".erased_columns(of text, key text) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  with history as (
    select e.position, e.action_name, e.metadata #> '{erase,columns}' as columns, e.data || coalesce(s.data, '{}') as data
    from "chronicle".event e left join "chronicle".event_sensitive s on s.position = e.position
    where e.table_name = any ("chronicle".table_names(of)) and e.record_key = key
  )
  select coalesce(array_agg(distinct c.name), '{}')
  from history e
  cross join lateral jsonb_array_elements_text(case when jsonb_typeof(e.columns) = 'array' then e.columns else '[]' end) as c (name)
  where e.action_name = 'erase'
  and not exists (select from history l where l.position > e.position and l.data ? c.name)
$$;
-- version: 1
create or replace function "chronicle".lock_log(keys jsonb default null, exclusive boolean default true) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  suffix text := case when exclusive then '' else '_shared' end;
  key jsonb;
begin
  if jsonb_typeof(keys) is distinct from 'array' then
    execute format('select pg_advisory_xact_lock%s(%s)', suffix, (select lock_arguments from "chronicle".installation));
    return;
  end if;
  for key in select k.value from jsonb_array_elements(keys) with ordinality as k (value, ordinal) order by k.ordinal loop
    if jsonb_array_length(key) = 1 then
      execute format('select pg_advisory_xact_lock%s($1)', suffix) using (key ->> 0)::bigint;
    else
      execute format('select pg_advisory_xact_lock%s($1, $2)', suffix) using (key ->> 0)::integer, (key ->> 1)::integer;
    end if;
  end loop;
end $$;
-- version: 1
create or replace function "chronicle".equals(relation oid, number smallint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  -- citext, ltree and other types of extensions have an operator of their own, which the pinned search_path does not show
  select coalesce((
    select format('operator(%I.=)', n.nspname)
    from pg_attribute a join pg_type y on y.oid = a.atttypid
    join pg_operator o on o.oprname = '=' and o.oprleft = o.oprright and o.oprleft = coalesce(nullif(y.typbasetype, 0), y.oid)
    join pg_namespace n on n.oid = o.oprnamespace
    where a.attrelid = relation and a.attnum = number
  ), '=')
$$;
create or replace function "chronicle".flush_statement(t "chronicle".tracked) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format($statement$
select array_agg(row(n.ordinal, %1$L, case when l.new is null then f.old else b.old end, l.new)::"chronicle".change)
from (
  select ordinal, note -> 'key' as key, note ->> 'first' as first
  from jsonb_array_elements($1 -> 'notes') with ordinality as e (note, ordinal)
  where note ->> 'table' = %1$L
) n
cross join lateral (select "chronicle".record_key(jsonb_build_object(%2$s), %3$L) as record_key offset 0) r
left join lateral (select %4$s as new from %5$s t where %6$s order by age(t.xmin) limit 1) l on true
left join lateral (
  select case when (array_agg(e.action order by e.position desc))[1] <> 'destroy'
    then "chronicle".merge(case when h.data is null then e.data else e.data || h.data end order by e.position) end as old
  from "chronicle".event e left join "chronicle".event_sensitive h on h.position = e.position
  where e.table_name = any (%7$L::text[]) and e.record_key = r.record_key and e.position >= (
    select max(c.position) from "chronicle".event c where c.table_name = any (%7$L::text[]) and c.record_key = r.record_key and c.action = 'create')
  and (n.first <> 'insert' or current_setting('transaction_isolation') = 'read committed')
) f on true
left join lateral (
  select jsonb_object_agg(k.name, coalesce(f.old -> k.name, 'null')) as old from jsonb_object_keys(l.new) as k (name)
) b on f.old is not null
$statement$,
    t.table_name,
    (select string_agg(format('%L, to_jsonb((n.key ->> %s)::%s)', k.name, k.ordinal - 1, c.type), ', ' order by k.ordinal)
      from unnest(t.key_columns) with ordinality as k (name, ordinal) join "chronicle".columns(t.table_oid) c on c.name = k.name),
    t.key_columns,
    "chronicle".image_sql(t.table_oid, t.excluded_columns),
    t.table_oid::regclass,
    (select string_agg(format('t.%I %s (n.key ->> %s)::%s', k.name, "chronicle".equals(t.table_oid, c.number), k.ordinal - 1, c.type), ' and ' order by k.ordinal)
      from unnest(t.key_columns) with ordinality as k (name, ordinal) join "chronicle".columns(t.table_oid) c on c.name = k.name),
    "chronicle".table_names(t.table_name))
$$;
-- version: 1
create or replace function "chronicle".make_flush_function(t "chronicle".tracked) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  shape bigint := (select bit_xor(hashtextextended(attname, atttypid::bigint)) from pg_attribute where attrelid = t.table_oid and attnum > 0 and not attisdropped);
begin
  execute format('create or replace function "chronicle".%I(payload jsonb) returns "chronicle".change[] language plpgsql as %L', 'flush_' || t.id, format($body$
declare
  known boolean := (select bit_xor(hashtextextended(attname, atttypid::bigint)) = %1$s from pg_attribute where attrelid = to_regclass(%2$L) and attnum > 0 and not attisdropped);
  changes "chronicle".change[];
begin
  if known and to_regclass(%2$L) = %3$s then
    return (%4$s);
  end if;
  execute (select "chronicle".flush_statement(t) from "chronicle".tracked t where id = %5$s) into changes using payload;
  return changes;
end$body$, shape, t.table_oid::regclass, t.table_oid, "chronicle".flush_statement(t), t.id));
  execute format('revoke all on function "chronicle".%I(jsonb) from public', 'flush_' || t.id);
end $make$;
-- version: 1
create or replace function "chronicle".flush(payload jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set timezone = 'UTC'
set bytea_output = 'hex'
set lc_monetary = 'C'
as $$
declare
  setup "chronicle".installation;
  tables text[] := (select array_agg(distinct n ->> 'table') from jsonb_array_elements(payload -> 'notes') n);
  lost jsonb;
  changes "chronicle".change[] := '{}';
  part "chronicle".change[];
  of_table "chronicle".tracked;
  untracked text;
begin
  select * into setup from "chronicle".installation;
  select n.name into untracked from unnest(tables) as n (name) where not exists (select from "chronicle".tracked t where t.table_name = n.name) limit 1;
  if untracked is not null then
    raise exception 'not tracked: %', untracked using errcode = 'CH003';
  end if;
  if setup.require_actor and exists (select from jsonb_array_elements(payload -> 'notes') n where payload -> 'contexts' -> (n ->> 'context')::integer -> 'actor' is null) then
    raise exception 'a tracked write on % needs an actor', tables[1] using errcode = 'CH001';
  end if;
  perform "chronicle".lock_log(payload -> 'locks', (payload ->> 'exclusive')::boolean);
  for of_table in select * from "chronicle".tracked t where t.table_name = any (tables) and t.capture = 'subscriber' loop
    execute format('select "chronicle".%I($1)', 'flush_' || of_table.id) into part using payload;
    changes := changes || part;
  end loop;
  
with drawn as materialized (select nextval('"chronicle".event_position_seq') as position, e.* from (
  with change as materialized (select c.ordinal, c.old, c.new, t.*, t.discriminator_entities -> (coalesce(c.new, c.old) ->> t.discriminator_column) as child,
        payload -> 'contexts' -> (n.note ->> 'context')::integer as told,
        case when c.old is null and n.note ->> 'first' <> 'insert' then 'baseline' end as named
      from unnest(changes) c
      join jsonb_array_elements(payload -> 'notes') with ordinality as n (note, ordinal) on n.ordinal = c.ordinal
      join "chronicle".tracked t on t.table_name = c.table_name)
  select e.*, (select array_agg(k.name) from jsonb_object_keys(e.image) as k (name) where k.name <> all (plain_columns)) as hidden
  from (
    select c.*, 1 as part, 'update' as action, c.new as image, c.new - d.same as data, c.old - d.same as previous
    from change c
    cross join lateral (select array(select o.key from jsonb_each_text(c.old) o where c.new ->> o.key is not distinct from o.value) as same offset 0) d
    where c.old is not null and c.new is not null
    union all
    select c.*, 0, 'destroy', c.old, '{}'::jsonb, c.old
    from change c
    where c.old is not null and (c.old is not null and c.new is not null) is not true
    union all
    select c.*, 1, 'create', c.new, c.new, '{}'::jsonb
    from change c
    where c.new is not null and (c.old is not null and c.new is not null) is not true
  ) e
  where e.action = any (actions) and (e.action <> 'update' or e.data <> '{}')
  order by e.part, e.ordinal) e),
apart as (
  insert into "chronicle".event_sensitive (position, data, previous)
  select position, data - plain_columns, previous - plain_columns
  from drawn
  where data ?| hidden or previous ?| hidden
)
insert into "chronicle".event (position, table_name, entity, record_id, record_key, action, action_name, version, data, previous,
    actor_type, actor_id, actor_name, metadata, tenant, correlation_id, causation_id)
overriding system value
select position, table_name, coalesce(child ->> 'entity', entity), (select jsonb_object_agg(k.name, image -> k.name) from unnest(key_columns) as k (name)), "chronicle".record_key(image, key_columns), action,
    coalesce(named, told ->> 'actionName', case
      when action <> 'update' or delete_date_column is null or not data ? delete_date_column then null
      when previous ->> delete_date_column is null then 'soft-remove'
      when data ->> delete_date_column is null then 'recover'
    end),
    (coalesce(child -> 'versions', versions) ->> action)::integer, case when hidden is null then data else data - hidden end, case when hidden is null then previous else previous - hidden end,
    told #>> '{actor,type}', told #>> '{actor,id}', told #>> '{actor,name}',
    coalesce(told -> 'metadata', '{}'),
    coalesce(image ->> tenant_column, told ->> 'tenant'),
    told ->> 'correlationId', told ->> 'causationId'
from drawn
order by position
;
  select jsonb_object_agg(table_name, count) into lost
  from (
    select c.table_name, count(*)
    from unnest(changes) c
    join jsonb_array_elements(payload -> 'notes') with ordinality as n (note, ordinal) on n.ordinal = c.ordinal
    join "chronicle".tracked t on t.table_name = c.table_name
    where c.old is null and n.note ->> 'first' <> 'insert' and (c.new is null or 'create' <> all (t.actions))
    group by c.table_name
  ) l;
  if lost is not null and (payload ->> 'refuse')::boolean then
    raise exception 'the log does not know what a record of % was before this write', (select string_agg(name, ', ') from jsonb_object_keys(lost) name) using errcode = 'CH007';
  end if;
  return coalesce(lost, '{}');
end $$;
-- version: 2
create or replace function "chronicle".refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if TG_OP <> 'TRUNCATE' and current_setting('chronicle.erasing', true) = pg_current_xact_id_if_assigned()::text then return null; end if;
  raise exception '% on %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, coalesce(TG_ARGV[0], 'the event log is append-only') using errcode = 'CH004';
end $$;
create or replace trigger append_only before update or delete or truncate on "chronicle".event for each statement execute function "chronicle".refuse_change();
create or replace trigger append_only before update or delete or truncate on "chronicle".event_sensitive for each statement execute function "chronicle".refuse_change();
-- version: 1
create or replace function "chronicle".refuse_size() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the sensitive columns of a row are larger than one event may be' using errcode = 'CH005';
end $$;
-- version: 1
create or replace function "chronicle".guard_activity() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $guard$
declare
  stack text;
begin
  get diagnostics stack = pg_context;
  if TG_OP = 'DELETE' and position(E'\nPL/pgSQL function ' || '"chronicle".activity_cleanup(timestamptz, integer)'::regprocedure in stack) > 0 then
    return null;
  end if;
  raise exception '% on %.% is refused: the activity log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    using errcode = 'CH004', hint = 'Entries end by retention: activity.cleanup().';
end $guard$;
create or replace trigger append_only before update or delete or truncate on "chronicle".activity for each statement execute function "chronicle".guard_activity();
-- version: 1
create or replace function "chronicle".activity_cleanup(older_than timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  keeps double precision := (select coalesce(activity_retention_days, 'infinity') from "chronicle".installation);
  deleted bigint;
begin
  if not pg_has_role(session_user, (select relowner from pg_class where oid = '"chronicle".activity'::regclass), 'member') then
    if keeps = 'infinity' then return 0; end if;
    older_than := least(older_than, clock_timestamp() - make_interval(secs => keeps * 86400));
  end if;
  delete from "chronicle".activity where id in (select id from "chronicle".activity where occurred_at < older_than order by occurred_at, id limit most);
  get diagnostics deleted = row_count;
  return deleted;
end $$;
-- version: 1
create or replace function "chronicle".refuse_course(record_key text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'an event of a record is missing' using errcode = 'CH020', hint = record_key;
end $$;
-- version: 1
create or replace function "chronicle".about_time(moment timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  low bigint;
  high bigint;
  middle bigint;
  found_position bigint;
  found_time timestamptz;
  about bigint;
begin
  select min(e.position), max(e.position) + 1 into low, high from "chronicle".event e;
  while low < high loop
    middle := low + (high - low) / 2;
    select e.position, e.occurred_at into found_position, found_time from "chronicle".event e where e.position >= middle order by e.position limit 1;
    if found_time < moment then
      about := found_position;
      low := found_position + 1;
    else
      high := middle;
    end if;
  end loop;
  return about;
end $$;
-- version: 1
create or replace function "chronicle".around_time(about bigint, moment timestamptz, latest timestamptz, out last bigint, out later bigint[])
language plpgsql stable 
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_indexscan = off
set enable_indexonlyscan = off
set max_parallel_workers_per_gather = 0
set jit = off as $$
begin
  last := greatest(about,
    (select max(e.position) from "chronicle".event e where e.position > about and e.occurred_at < moment),
    (select max(m.position) from "chronicle".commit_marker m where m.position > about and m.occurred_at < moment));
  later := array(select e.position from "chronicle".event e where e.position <= last and e.occurred_at > latest order by e.position limit 20);
end $$;
-- version: 1
create or replace function "chronicle".torn(cut bigint, of_epoch smallint, id xid8) returns xid8[]
language plpgsql stable 
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_indexscan = off
set enable_indexonlyscan = off
set max_parallel_workers_per_gather = 0
set jit = off as $$
declare
  newest bigint := greatest(id::text::bigint, (select max(e.transaction_id::text::bigint) from "chronicle".event e
    where e.position <= cut and e.transaction_id::text::bigint > id::text::bigint and e.epoch = of_epoch));
  later bigint[] := array(select distinct e.transaction_id::text::bigint from "chronicle".event e
    where e.position > cut and e.transaction_id::text::bigint <= newest and e.epoch = of_epoch
    union
    select m.transaction_id::text::bigint from "chronicle".commit_marker m
    where m.position > cut and m.transaction_id::text::bigint <= newest and m.epoch = of_epoch);
begin
  return array(select l.id::text::xid8 from unnest(later) as l (id)
    where exists (select from "chronicle".event e where e.position <= cut and e.transaction_id::text::bigint = l.id and e.epoch = of_epoch));
end $$;
-- version: 1
create or replace function "chronicle".mark_commit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into "chronicle".commit_marker (transaction_id, position)
  select pg_current_xact_id(), nextval('"chronicle".event_position_seq') from (select from written limit 1) any_event
  on conflict (transaction_id, epoch) do update set position = excluded.position, settled = false;
  return null;
end $$;
-- version: 1
create or replace function "chronicle".settle_commit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update "chronicle".commit_marker set position = nextval('"chronicle".event_position_seq'), settled = true, occurred_at = clock_timestamp()
  where transaction_id = new.transaction_id and epoch = new.epoch and position = new.position;
  return null;
end $$;
-- version: 1
create or replace function "chronicle".put_commit_marker() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  needed boolean := exists (
    select from pg_constraint c join "chronicle".tracked t on t.table_oid in (c.conrelid, c.confrelid) where c.condeferrable);
  there boolean := exists (select from pg_trigger where tgrelid = '"chronicle".event'::regclass and tgname = 'mark_commit');
begin
  if needed and not there then
    create trigger mark_commit after insert on "chronicle".event referencing new table as written
      for each statement execute function "chronicle".mark_commit();
    create constraint trigger settle_commit after insert or update on "chronicle".commit_marker deferrable initially deferred
      for each row when (not new.settled) execute function "chronicle".settle_commit();
  elsif there and not needed then
    drop trigger mark_commit on "chronicle".event;
    drop trigger settle_commit on "chronicle".commit_marker;
  end if;
end $$;
-- version: 1
create or replace function "chronicle".tail_positions(of_epoch smallint, from_id bigint, to_id bigint, after_position bigint, known pg_snapshot, most integer,
  out place bigint, out id bigint) returns setof record
language plpgsql stable 
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_indexscan = off
set enable_indexonlyscan = off
set max_parallel_workers_per_gather = 0
set jit = off as $$
begin
  return query select e.position, e.transaction_id::text::bigint from "chronicle".event e
    where e.transaction_id::text::bigint >= from_id and e.transaction_id::text::bigint < to_id and e.epoch = of_epoch
    and (e.transaction_id::text::bigint > from_id or e.position > after_position)
    and (known is null or not pg_visible_in_snapshot(e.transaction_id, known))
    order by 2, 1 limit most;
end $$;
-- version: 1
create or replace function "chronicle".wake_tails() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from "chronicle".sleeping_tail where until > clock_timestamp()) then
    perform pg_notify(TG_TABLE_SCHEMA, '');
  end if;
  return null;
end $$;
create or replace trigger wake_tails after insert on "chronicle".event for each statement execute function "chronicle".wake_tails();
update "chronicle".tracked set table_oid = coalesce(to_regclass(table_name)::oid, 0)
    where (select system_identifier from "chronicle".installation) <> (select system_identifier::text from pg_control_system());
insert into "chronicle".installation as i (step, fingerprint, system_identifier, lock_arguments, require_actor, activity_retention_days)
    select 2::integer, 'ef08c8f26d2dbdacb6b7059cf0b0b49d6dcb26ad6ab052f5103362f4f4f95fec', system_identifier::text,
      coalesce(null, hashtextextended(current_database() || '.' || 'chronicle', 0)::text), false::boolean, 90::double precision
    from pg_control_system()
    on conflict (only_row) do update set step = greatest(i.step, excluded.step), fingerprint = excluded.fingerprint,
      epoch = i.epoch + (i.system_identifier <> excluded.system_identifier)::integer, system_identifier = excluded.system_identifier,
      lock_arguments = excluded.lock_arguments, require_actor = excluded.require_actor, activity_retention_days = excluded.activity_retention_days, installed_at = clock_timestamp();
alter table "chronicle".event drop constraint if exists event_data_limit;
      alter table "chronicle".event add constraint event_data_limit check (pg_column_size(data) + pg_column_size(previous) <= 16777216) not valid;
create or replace trigger data_limit before insert on "chronicle".event_sensitive for each row
      when (pg_column_size(new.data) + pg_column_size(new.previous) > 16777216) execute function "chronicle".refuse_size();
revoke all on all tables in schema "chronicle" from public; revoke all on schema "chronicle" from public; revoke all on all functions in schema "chronicle" from public;
commit;
start transaction isolation level read committed; set local search_path = pg_catalog, pg_temp; set local extra_float_digits = 1; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; set local timezone = 'UTC'; set local bytea_output = 'hex'; set local lc_monetary = 'C'; set local xmloption = content; set local array_nulls = on; set local standard_conforming_strings = on; set local client_min_messages = 'warning';
set local lock_timeout = 250; select pg_advisory_xact_lock(hashtextextended('typeorm-chronicle install', 0));
select "chronicle".track('"public"."parcel"'::regclass, '{"entity":"Parcel","formerly":[],"keyColumns":["id"],"versions":{"create":1,"update":1,"destroy":1},"plainColumns":["label","weight","contents","id"],"excludedColumns":[],"deleteDateColumn":null,"tenantColumn":null,"discriminatorColumn":null,"discriminatorEntities":{},"actions":["create","update","destroy"],"auditOnly":false,"capture":"trigger"}'::jsonb);
commit;
start transaction isolation level read committed; set local search_path = pg_catalog, pg_temp; set local extra_float_digits = 1; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; set local timezone = 'UTC'; set local bytea_output = 'hex'; set local lc_monetary = 'C'; set local xmloption = content; set local array_nulls = on; set local standard_conforming_strings = on; set local client_min_messages = 'warning';
set local lock_timeout = 250; select pg_advisory_xact_lock(hashtextextended('typeorm-chronicle install', 0));
select "chronicle".put_commit_marker();
commit;
