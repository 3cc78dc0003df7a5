import { effectsOfImages, insertEvents, ofTracked } from "./insert-events.js";
import { pinnedSettings } from "./pinned-settings.js";

/**
 * Records what a transaction did to the records that subscriber capture noted: { exclusive, locks, refuse, contexts, notes }, a
 * note being { table, key, first, context } with the verb that touched the record first.
 *
 * It reads every row itself, so a role that may call it can record only what is true, about records in their present state; who
 * and why is as the application says, as everywhere. Tables that have capture triggers are left to these.
 * Returns, by table, how many records were changed whose former state the log does not know, so that no event could tell it.
 */
export const flush = (s: string): string => `-- version: 1
create or replace function ${s}.flush(payload jsonb) returns jsonb
language plpgsql security definer
${pinnedSettings.map((setting) => `set ${setting}`).join("\n")}
as $$
declare
  setup ${s}.installation;
  tables text[] := (select array_agg(distinct n ->> 'table') from jsonb_array_elements(payload -> 'notes') n);
  lost jsonb;
  changes ${s}.change[] := '{}';
  part ${s}.change[];
  of_table ${s}.tracked;
  untracked text;
begin
  select * into setup from ${s}.installation;
  select n.name into untracked from unnest(tables) as n (name) where not exists (select from ${s}.tracked t where t.table_name = n.name) limit 1;
  if untracked is not null then
    raise exception 'not tracked: %', untracked using errcode = 'CH003';
  end if;
  if setup.require_actor and exists (select from jsonb_array_elements(payload -> 'notes') n where payload -> 'contexts' -> (n ->> 'context')::integer -> 'actor' is null) then
    raise exception 'a tracked write on % needs an actor', tables[1] using errcode = 'CH001';
  end if;
  perform ${s}.lock_log(payload -> 'locks', (payload ->> 'exclusive')::boolean);
  for of_table in select * from ${s}.tracked t where t.table_name = any (tables) and t.capture = 'subscriber' loop
    execute format('select ${s}.%I($1)', 'flush_' || of_table.id) into part using payload;
    changes := changes || part;
  end loop;
  ${insertEvents(s, {
    effects: effectsOfImages({
      changes: `select c.ordinal, c.old, c.new, t.*, t.discriminator_entities -> (coalesce(c.new, c.old) ->> t.discriminator_column) as child,
        payload -> 'contexts' -> (n.note ->> 'context')::integer as told,
        case when c.old is null and n.note ->> 'first' <> 'insert' then 'baseline' end as named
      from unnest(changes) c
      join jsonb_array_elements(payload -> 'notes') with ordinality as n (note, ordinal) on n.ordinal = c.ordinal
      join ${s}.tracked t on t.table_name = c.table_name`,
      sameRecord: "c.old is not null and c.new is not null",
      plainColumns: "plain_columns",
      actions: "actions",
    }),
    ...ofTracked(s),
    context: "told",
    actionName: "named",
  })};
  perform ${s}.wake_tails();
  select jsonb_object_agg(table_name, count) into lost
  from (
    select c.table_name, count(*)
    from unnest(changes) c
    join jsonb_array_elements(payload -> 'notes') with ordinality as n (note, ordinal) on n.ordinal = c.ordinal
    join ${s}.tracked t on t.table_name = c.table_name
    where c.old is null and n.note ->> 'first' <> 'insert' and (c.new is null or 'create' <> all (t.actions))
    group by c.table_name
  ) l;
  if lost is not null and (payload ->> 'refuse')::boolean then
    raise exception 'the log does not know what a record of % was before this write', (select string_agg(name, ', ') from jsonb_object_keys(lost) name) using errcode = 'CH007';
  end if;
  return coalesce(lost, '{}');
end $$;
`;
