/** A position about where a time lies, by halving: exact where stamps rise with positions. Null in an empty log, and where the log began later. */
export const aboutTime = (s: string): string => `-- version: 1
create or replace function ${s}.about_time(moment timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  low bigint;
  high bigint;
  middle bigint;
  found_position bigint;
  found_time timestamptz;
  about bigint;
begin
  select min(e.position), max(e.position) + 1 into low, high from ${s}.event e;
  while low < high loop
    middle := low + (high - low) / 2;
    select e.position, e.occurred_at into found_position, found_time from ${s}.event e where e.position >= middle order by e.position limit 1;
    if found_time < moment then
      about := found_position;
      low := found_position + 1;
    else
      high := middle;
    end if;
  end loop;
  return about;
end $$;
`;
