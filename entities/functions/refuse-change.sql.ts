/** Keeps the log append-only, for its owner too. */
export const refuseChange = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_change() returns trigger
language plpgsql as $$
begin
  raise exception '% on %.% is refused: the event log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME using errcode = 'CH004';
end $$;
create or replace trigger append_only before update or delete or truncate on ${s}.event for each statement execute function ${s}.refuse_change();
`;
