/**
 * Wakes tails that sleep, and costs writers a look into a table that is empty otherwise: a NOTIFY per write would make commits wait
 * for one another, since Postgres lets only one notifying transaction commit at a time.
 */
export const wakeTails = (s: string): string => `-- version: 1
create or replace function ${s}.wake_tails() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from ${s}.sleeping_tail where until > clock_timestamp()) then
    perform pg_notify(TG_TABLE_SCHEMA, '');
  end if;
  return null;
end $$;
create or replace trigger wake_tails after insert on ${s}.event for each statement execute function ${s}.wake_tails();
`;
