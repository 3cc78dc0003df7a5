/** Refuses an event whose hidden values are too large. A trigger, because a check constraint would quote the row in its error. */
export const refuseSize = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_size() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the sensitive columns of a row are larger than one event may be' using errcode = 'CH005';
end $$;
`;
