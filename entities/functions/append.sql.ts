import { effectsOfImages, insertEvents, ofTracked } from "./insert-events.js";

/**
 * Writes the events of changes on any tracked tables, for what the log itself does (`origin`) and holds old and new
 * images of. Returns how many events it wrote. Changes on tables that are not tracked are an error, not a loss.
 */
export const append = (s: string): string => `-- version: 4
drop function if exists ${s}.append(${s}.change[], jsonb, text);
create or replace function ${s}.append(changes ${s}.change[], origin text, context jsonb default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  before bigint := (select coalesce(max(position), 0) from ${s}.event);
  unknown text := (select string_agg(distinct c.table_name, ', ') from unnest(changes) c where not exists (select from ${s}.tracked t where t.table_name = c.table_name));
begin
  if unknown is not null then
    raise exception 'not tracked: %', unknown using errcode = 'CH003';
  end if;
  execute format('select pg_advisory_xact_lock_shared(%s)', (select lock_arguments from ${s}.installation));
  ${insertEvents(s, {
    effects: effectsOfImages({
      changes: `select c.ordinal, c.old, c.new, t.*, t.discriminator_entities -> (coalesce(c.new, c.old) ->> t.discriminator_column) as child
      from unnest(changes) c
      join (
        select t.*, ${s}.note_shape(t, t.table_oid) as shape
        from ${s}.tracked t
        where t.table_name in (select table_name from unnest(changes))
        offset 0
      ) t
        on t.table_name = c.table_name`,
      sameRecord: `c.old is not null and c.new is not null and ${s}.record_key(c.old, c.key_columns) = ${s}.record_key(c.new, c.key_columns)`,
      plainColumns: "plain_columns",
      actions: "actions",
    }),
    ...ofTracked(s),
    context: "context",
    origin: "append.origin",
    shape: "shape",
  })};
  perform ${s}.wake_tails();
  return (select count(*) from ${s}.event where position > before and transaction_id = pg_current_xact_id());
end $$;
`;
