/**
 * The tables of the log. Types of columns are those of the classes beside this folder; a test compares the two.
 * `position` is drawn with CACHE 1, because the fold's order rests on it: see docs/architecture.md.
 */
export const tables = (s: string): string => `
create table ${s}.installation (
  only_row boolean primary key default true check (only_row),
  step integer not null,
  fingerprint text not null,
  system_identifier text not null,
  epoch smallint not null default 1,
  lock_arguments text not null,
  require_actor boolean not null default false,
  installed_at timestamptz not null default clock_timestamp()
);

create table ${s}.tracked (
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

create table ${s}.event (
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
create index event_record on ${s}.event (table_name, record_key, position);
create index event_order on ${s}.event using brin (position, occurred_at, (transaction_id::text::bigint)) with (autosummarize = on);
create index event_baseline on ${s}.event (table_name, position) where action_name = 'baseline';

create table ${s}.event_sensitive (
  position bigint primary key,
  data jsonb not null,
  previous jsonb not null
);

create table ${s}.bookmark (
  name text primary key,
  position bigint not null,
  snapshot pg_snapshot not null,
  epoch smallint not null default 1,
  created_at timestamptz not null default clock_timestamp()
);

create table ${s}.commit_marker (
  transaction_id xid8 not null,
  epoch smallint not null default 1,
  position bigint not null,
  settled boolean not null default false,
  occurred_at timestamptz not null default clock_timestamp(),
  primary key (transaction_id, epoch)
);
create index commit_marker_position on ${s}.commit_marker (position);
create index commit_marker_order on ${s}.commit_marker using brin (position, occurred_at, (transaction_id::text::bigint)) with (autosummarize = on, pages_per_range = 16);
comment on table ${s}.commit_marker is 'One position more for each transaction, drawn at its commit: only where tracked tables have deferrable constraints.';

create unlogged table ${s}.sleeping_tail (
  id uuid primary key,
  until timestamptz not null
);

create table ${s}.gate ();
comment on table ${s}.gate is 'Always empty: transactions of a tracked application lock it in passing, so that a live replay can wait for them.';

drop type if exists ${s}.change cascade; -- TypeORM's dropSchema drops tables and leaves types
create type ${s}.change as (ordinal bigint, table_name text, old jsonb, new jsonb);

do $$ begin
  alter table ${s}.event alter column data set compression lz4, alter column previous set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null; -- a server built without lz4 keeps pglz
end $$;
`;
