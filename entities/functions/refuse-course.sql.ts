/** Fails for a record whose events cannot be in their order, from inside the statement that folds it: its key is the hint. */
export const refuseCourse = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_course(record_key text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'an event of a record is missing' using errcode = 'CH020', hint = record_key;
end $$;
`;
