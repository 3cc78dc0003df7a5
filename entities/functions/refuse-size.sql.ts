/**
 * Refuses an event that is too large as text; false if it is not. No check constraint: it would quote the row in its
 * error, and is read anew at each insert.
 */
export const refuseSize = (s: string): string => `-- version: 3
drop function if exists ${s}.refuse_size();
create or replace function ${s}.refuse_size(data jsonb, previous jsonb, most integer) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if ${s}.text_size(data, most)::bigint + ${s}.text_size(previous, most) <= most then
    return false;
  end if;
  raise exception 'a row is larger than one event may be' using errcode = 'CH005';
end $$;
`;
