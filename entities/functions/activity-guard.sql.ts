/**
 * Keeps the activity log append-only, for its owner too: nothing is updated or truncated, and only the retention function deletes.
 * The call stack tells who deletes: no setting that a session could make.
 */
export const activityGuard = (s: string): string => `-- version: 1
create or replace function ${s}.guard_activity() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $guard$
declare
  stack text;
begin
  get diagnostics stack = pg_context;
  if TG_OP = 'DELETE' and position(E'\\nPL/pgSQL function ' || '${s}.activity_cleanup(timestamptz, integer)'::regprocedure in stack) > 0 then
    return null;
  end if;
  raise exception '% on %.% is refused: the activity log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    using errcode = 'CH004', hint = 'Entries end by retention: activity.cleanup().';
end $guard$;
create or replace trigger append_only before update or delete or truncate on ${s}.activity for each statement execute function ${s}.guard_activity();
`;
