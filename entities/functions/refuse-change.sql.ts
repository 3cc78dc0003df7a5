/**
 * Keeps the log append-only, for its owner too, and a shadow as it was made. An erasure changes what is stored of one record: it
 * says so for its transaction (src/install/erase.ts).
 */
export const refuseChange = (s: string): string => `-- version: 2
create or replace function ${s}.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if TG_OP <> 'TRUNCATE' and current_setting('chronicle.erasing', true) = pg_current_xact_id_if_assigned()::text then return null; end if;
  raise exception '% on %.% is refused: %', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, coalesce(TG_ARGV[0], 'the event log is append-only') using errcode = 'CH004';
end $$;
create or replace trigger append_only before update or delete or truncate on ${s}.event for each statement execute function ${s}.refuse_change();
create or replace trigger append_only before update or delete or truncate on ${s}.event_sensitive for each statement execute function ${s}.refuse_change();
`;
