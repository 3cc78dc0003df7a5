/**
 * Points in time and tails read the ranges of event_order around a position whole: with a quarter of the default's pages they
 * read a seventh as long in a log of a million events. A large log's index is left for its operator to rebuild beside running
 * writers, who would wait here.
 */
export const finerOrder = (s: string): string => `
alter index ${s}.event_order set (pages_per_range = 32);
do $$ begin
  if coalesce(pg_relation_size((select tableoid from ${s}.event limit 1)), 0) < 256 * 1024 * 1024 then
    reindex index ${s}.event_order;
  end if;
end $$;
`;
