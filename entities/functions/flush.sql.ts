import { contextFits } from "./context.sql.js";
import { pinnedSettings } from "./pinned-settings.js";
import { refuseUnsigned } from "./read-signed.sql.js";

/**
 * Records what a transaction did to the records that subscriber capture noted: { exclusive, locks, refuse, contexts,
 * runs }, a run being { table, first, context, keys }: records of one table, in the order in which they were touched,
 * with the verb that touched each of them first and the place of their context, or null. A context is an object, or a
 * string as `read_signed` takes it.
 *
 * It reads every row itself, so a role that may call it can record only what is true, about records in their present
 * state; who and why is as the application says, as everywhere. Tables that have capture triggers are left to these.
 * Returns, by table, how many records were changed whose former state the log does not know, so that no event could
 * tell it.
 */
export const flush = (s: string): string => `-- version: 7
create or replace function ${s}.flush(payload jsonb) returns jsonb
language plpgsql security definer
${pinnedSettings.map((setting) => `set ${setting}`).join("\n")}
set row_security = off
as $$
declare
  own_locks boolean := (payload ->> 'exclusive')::boolean or jsonb_typeof(payload -> 'locks') = 'array';
  runs jsonb := payload -> 'runs';
  run jsonb;
  context jsonb;
  signs boolean := exists (select from ${s}.context_key);
  of_table record;
  missing bigint;
  lost jsonb := '{}';
begin
  if own_locks then
    perform ${s}.lock_log(payload -> 'locks', (payload ->> 'exclusive')::boolean);
  end if;
  for place in 0 .. jsonb_array_length(runs) - 1 loop
    run := runs -> place;
    context := payload -> 'contexts' -> (run ->> 'context')::integer;
    if signs or jsonb_typeof(context) = 'string' then
      context := ${s}.read_signed(context #>> '{}');
    elsif context ? 'signedBy' or not ${contextFits(s, "context")} then
      context := '{"metadata": {"chronicle": "the request context could not be read"}}';
    end if;
    -- One statement for all that has to be known: each would take longer to start than to run.
    select i.require_actor, i.require_signed, t.id, t.capture, t.table_oid, row_security_active(t.table_oid) as hides_rows, case
      when own_locks then null
      when i.lock_timeout_ms is not null then ${s}.lock_log(exclusive => false)::text
      when i.lock_arguments like '%,%' then pg_advisory_xact_lock_shared(split_part(i.lock_arguments, ', ', 1)::integer, split_part(i.lock_arguments, ', ', 2)::integer)::text
      else pg_advisory_xact_lock_shared(i.lock_arguments::bigint)::text
    end
    into of_table
    from ${s}.installation i
    left join ${s}.tracked t on t.table_name = run ->> 'table' or t.table_oid = to_regclass(run ->> 'table')
    order by t.table_name = run ->> 'table' desc limit 1;
    if of_table.id is null then
      raise exception 'not tracked: %', run ->> 'table' using errcode = 'CH003';
    end if;
    if of_table.require_signed then
      ${refuseUnsigned("run ->> 'table'")}
    end if;
    if of_table.require_actor and context -> 'actor' is null then
      raise exception 'a tracked write on % needs an actor', run ->> 'table' using errcode = 'CH001';
    end if;
    continue when of_table.capture <> 'subscriber';
    if of_table.hides_rows then
      perform ${s}.refuse_hidden_rows(of_table.table_oid, 'a write');
    end if;
    execute format('select ${s}.%I($1, $2, $3)', 'flush_' || of_table.id) into missing using context, run ->> 'first', run -> 'keys';
    if missing > 0 then
      lost := lost || jsonb_build_object(run ->> 'table', coalesce((lost ->> (run ->> 'table'))::bigint, 0) + missing);
    end if;
  end loop;
  if lost <> '{}' and (payload ->> 'refuse')::boolean then
    raise exception 'the log does not know what a record of % was before this write', (select string_agg(name, ', ') from jsonb_object_keys(lost) name) using errcode = 'CH007';
  end if;
  return lost;
end $$;
`;
