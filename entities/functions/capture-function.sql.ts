import { transactionStart } from "../../src/core/sent-context.js";
import { pinnedSettings } from "./pinned-settings.js";
import { refuseUnsigned, signedContext } from "./read-signed.sql.js";

/** Makes the capture function of one table. Its body is quoted as a literal: a column may be named like any tag. */
export const captureFunction = (s: string): string => `-- version: 12
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
  execute format($header$
create or replace function ${s}.%I() returns trigger
language plpgsql security definer
${pinnedSettings.map((setting) => `set ${setting}`).join("\n")}
as %L$header$, 'capture_' || tracked_id, format($function$
declare
  message text := current_query();
  sent text := ${s}.sent_context(message);
  %15$s
  named boolean := to_regclass(%18$L) = %19$s; -- the table still has its name
  known boolean := false;
  affected integer;
  rekeyed boolean;
  tail_sleeps boolean;
  locked text;
  %11$s
begin
  if (named and (TG_RELID = %19$s or pg_partition_root(TG_RELID) = %19$s)) is not true
    and not ${s}.is_part_of(TG_RELID, %6$s::smallint)
  then
    if exists (select from ${s}.tracked t where t.table_name = ${s}.table_name(TG_RELID)) then
      raise exception 'the table %% has the name of another tracked table since the last install', TG_TABLE_NAME
        using errcode = 'CH012';
    end if;
    return null; -- It is another table now: no write on it is an event.
  end if;
  %12$s
  if TG_OP in ('INSERT', 'UPDATE') then
    %4$s;
  elsif TG_OP = 'DELETE' then
    %5$s;
  end if;
  if affected = 0 then return null; end if;
  known := known and named is true;
  %2$s
  %14$s
  %3$s;
  %13$s
  if known and TG_OP = 'INSERT' then
    %7$s;
  elsif known and TG_OP = 'UPDATE' then
    if affected = 1 then
      %8$s;
    end if;
    if affected > 1 or not found then
      select %16$s into rekeyed;
      if not rekeyed then
        %9$s;
      elsif row_security_active(TG_RELID) then -- a policy that came later hides rows
        known := false;
      else
        %17$s;
      end if;
    end if;
  elsif known and TG_OP = 'DELETE' then
    %10$s;
  end if;
  if not known then -- a TRUNCATE, or a table that was altered since the last install
    if TG_OP = 'TRUNCATE' then perform ${s}.refuse_old_snapshot(TG_RELID); end if;
    execute ${s}.capture_statement(%6$s::smallint, TG_OP, '$1', relation => TG_RELID, shape => '$2')
    using context, (select ${s}.note_shape(k, TG_RELID) from ${s}.tracked k where k.id = %6$s);
  end if;
  if tail_sleeps is not false then
    perform ${s}.wake_tails();
  end if;
  return null;
end $function$,
    'capture_' || tracked_id,
    concat_ws(E'\n  ',
      case when setup.require_signed then $signed$${refuseUnsigned("TG_TABLE_NAME")}$signed$ end,
      case when setup.require_actor then $actor$if context -> 'actor' is null then
    raise exception 'a tracked write on % needs an actor', TG_TABLE_NAME using errcode = 'CH001';
  end if;$actor$ end),
    format(case
        when setup.lock_timeout_ms is null then 'locked := pg_advisory_xact_lock_shared(%s)'
        else 'if not pg_try_advisory_xact_lock_shared(%s) then perform ${s}.lock_log(exclusive => false); end if'
      end, setup.lock_arguments),
    case when at_row_level.written is null then ${s}.shape_check(t, 'new_rows') else 'null' end,
    case when at_row_level.written is null then ${s}.shape_check(t, 'old_rows') else 'null' end,
    tracked_id,
    ${s}.capture_statement(tracked_id, 'INSERT', 'context', known => true),
    ${s}.capture_statement(tracked_id, 'UPDATE ONE', 'context', known => true),
    ${s}.capture_statement(tracked_id, 'UPDATE', 'context', known => true),
    ${s}.capture_statement(tracked_id, 'DELETE', 'context', known => true),
    at_row_level.declared, at_row_level.first, at_row_level.written,
    case when exists (select from pg_trigger g where g.tgrelid = t.table_oid and g.tgdeferrable and not g.tgisinternal)
      then $remember$perform set_config(
    'chronicle.statement', concat(${transactionStart}, ':', sent), true);$remember$ end,
    case when exists (select from ${s}.context_key) then $signed$${signedContext(s).trim()}$signed$
      else $unsigned$context jsonb := case when sent <> '' then ${s}.read_context(sent) end;$unsigned$ end,
    ${s}.is_rekeyed(t),
    ${s}.capture_statement(tracked_id, 'REKEY', 'context', known => true),
    t.table_name, t.table_oid));
  -- Whoever may execute it could put it on a table of their own and so write events of this one.
  execute format('revoke all on function ${s}.%I() from public', 'capture_' || tracked_id);
end $make$;
`;
