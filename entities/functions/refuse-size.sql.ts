/** Refuses an event that is too large. No check constraint: it would quote the row in its error, and is read anew at each insert. */
export const refuseSize = (s: string): string => `-- version: 2
create or replace function ${s}.refuse_size() returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'a row is larger than one event may be' using errcode = 'CH005';
end $$;
`;
