/**
 * Where an event comes from, which only the log's own functions say, and the shape of the table that it was written
 * under. Until now a baseline, a rewind, a revert and an erasure were known by their action's name.
 */
export const schemaHistory = (s: string): string => `
alter table ${s}.event add column origin text not null default 'capture', add column shape bigint;
comment on column ${s}.event.origin is 'capture, or what the log itself did: only its own functions write it';
comment on column ${s}.event.shape is
  'null: the shape of the last install before the event; else a hash that table_shape describes';

do $$
declare
  relation regclass;
begin
  for relation in select '${s}.event'::regclass union select p.relid from pg_partition_tree('${s}.event') p loop
    execute format('alter table %s disable trigger user', relation);
  end loop;
  update ${s}.event
  set origin = action_name, action_name = null
  where action_name in ('baseline', 'rewind', 'revert', 'erase');
  for relation in select '${s}.event'::regclass union select p.relid from pg_partition_tree('${s}.event') p loop
    execute format('alter table %s enable trigger user', relation);
  end loop;
end $$;

drop index if exists ${s}.event_baseline;
create index event_origin on ${s}.event (table_name, origin, position) where origin <> 'capture';

create table ${s}.table_shape (
  tracked_id smallint not null,
  hash bigint not null,
  columns jsonb not null,
  seen_at timestamptz not null default clock_timestamp()
);
create index table_shape_hash on ${s}.table_shape (tracked_id, hash);
comment on table ${s}.table_shape is
  'The columns that a table had when events of a shape were written which no install knew; '
  'one shape may stand here twice.';

create table ${s}.schema_change (
  position bigint primary key,
  tracked_id smallint not null,
  change jsonb not null,
  recorded_at timestamptz not null default clock_timestamp()
);
create index schema_change_table on ${s}.schema_change (tracked_id, position);
comment on table ${s}.schema_change is
  'What install found changed in a table: events before the position have the shape of before, or one of table_shape.';

create table ${s}.event_late (
  position bigint primary key,
  data jsonb not null,
  previous jsonb not null
);
comment on table ${s}.event_late is
  'Values of columns that install came to know after their event was written: readers see them with the event.';

alter table ${s}.tracked
  add column columns jsonb,
  add column storage jsonb,
  add column hash bigint,
  add column today text,
  add column fills jsonb not null default '{}',
  add column unfinished jsonb,
  add column absent boolean not null default false,
  drop column shape, drop column column_names;
comment on column ${s}.tracked.columns is
  'The columns at the last install, each with the number that the log gave it for good';
comment on column ${s}.tracked.storage is
  'Of the table and its partitions at the last install: oid, file and bounds; null on another cluster';
comment on column ${s}.tracked.today is
  'SQL over d.data, the data of an event e: the same under the names that columns have today; null: as it stands';
comment on column ${s}.tracked.fills is 'What a column holds in every record whose events do not have it';
comment on column ${s}.tracked.unfinished is 'What an install has still to compare and record';
`;
