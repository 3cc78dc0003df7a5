/**
 * For functions that read what lies near a position or a time in a large log: through event_order and in no other way. Left to
 * itself the planner reads half of the log by its primary key, because it cannot know how few rows the conditions leave together.
 * Planned once a session, since there is one plan: a tenth of a point's time.
 */
export const throughBrin = `
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_indexscan = off
set enable_indexonlyscan = off
set max_parallel_workers_per_gather = 0
set jit = off`;
