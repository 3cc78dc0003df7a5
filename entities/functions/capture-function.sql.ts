import { pinnedSettings } from "./pinned-settings.js";

/** Makes the capture function of one table. It holds no name of a column in code that must compile after that column is gone. */
export const captureFunction = (s: string): string => `-- version: 1
create or replace function ${s}.make_capture_function(tracked_id smallint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  t ${s}.tracked;
  setup ${s}.installation;
  at_row_level record;
begin
  select * into t from ${s}.tracked where id = tracked_id;
  select * into setup from ${s}.installation;
  select * into at_row_level from ${s}.capture_rows(t);
  execute format($function$
create or replace function ${s}.%1$I() returns trigger
language plpgsql security definer
${pinnedSettings.map((setting) => `set ${setting}`).join("\n")}
as $capture$
declare
  context jsonb;
  shaped boolean := true;
  %10$s
begin
  %11$s
  context := ${s}.context();
  %13$s
  %2$s
  perform pg_advisory_xact_lock_shared(%3$s);
  %12$s
  if TG_OP = 'INSERT' then
    %4$s
    %7$s;
  elsif TG_OP = 'UPDATE' then
    %4$s
    %8$s;
  elsif TG_OP = 'DELETE' then
    %5$s
    %9$s;
  else
    execute ${s}.capture_statement(%6$s::smallint, TG_OP, '$1', TG_RELID) using context;
  end if;
  return null;
end $capture$ $function$,
    'capture_' || tracked_id,
    case when setup.require_actor then $actor$if context -> 'actor' is null then
    raise exception 'a tracked write on % needs an actor', TG_TABLE_NAME using errcode = 'CH001';
  end if;$actor$ else '' end,
    setup.lock_arguments,
    ${s}.shape_check(t, 'new_rows'),
    ${s}.shape_check(t, 'old_rows'),
    tracked_id,
    ${s}.capture_statement(tracked_id, 'INSERT', 'context'),
    ${s}.capture_statement(tracked_id, 'UPDATE', 'context'),
    ${s}.capture_statement(tracked_id, 'DELETE', 'context'),
    at_row_level.declared, at_row_level.first, at_row_level.written,
    case when exists (select from pg_trigger g where g.tgrelid = t.table_oid and g.tgdeferrable and not g.tgisinternal)
      then $remember$perform set_config('chronicle.statement', encode(convert_to(context::text, 'UTF8'), 'base64'), true);$remember$ end);
end $make$;
`;
