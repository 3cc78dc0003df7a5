/**
 * What processes say of themselves: that they are alive and what waits, and that they end. Only who knows a process's
 * random id can speak for it.
 */
export const activityWriter = (s: string): string => `-- version: 1
create or replace function ${s}.activity_alive(of_run uuid, of_node text, waits integer, holds integer) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into ${s}.activity_writer as w (run, node, waiting, queue, seen_at)
  values (of_run, of_node, waits, holds, clock_timestamp())
  on conflict (run) do update set waiting = excluded.waiting, seen_at = excluded.seen_at
$$;
create or replace function ${s}.activity_farewell(of_run uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from ${s}.activity_writer where run = of_run
$$;
`;

const digest = (run: string) => `encode(sha256(convert_to(${run}::text, 'UTF8')), 'hex')`;

/** The processes that write, each by a digest of its id, and whether nothing was heard of it for hours. */
export const activityWriters = (s: string): string => `-- version: 1
create or replace function ${s}.activity_writers(silent_hours integer) returns table (digest text, node text, silent boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select ${digest("run")}, node, seen_at < clock_timestamp() - make_interval(hours => silent_hours)
  from ${s}.activity_writer
$$;
`;

/**
 * For processes that ended without a farewell: adds the entry that says what each may have lost, once, and forgets it.
 * So a wrong call adds an entry that is not true, and hides at most what a process loses before its next write.
 */
export const takeLostWriters = (s: string): string => `-- version: 1
create or replace function ${s}.take_lost_writers(digests text[], on_node text)
returns table (id uuid, node text, waiting integer, queue integer, seen_ms double precision)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with gone as (
    delete from ${s}.activity_writer where ${digest("run")} = any (digests)
    returning gen_random_uuid() as id, activity_writer.node, waiting, greatest(waiting, queue) as queue, seen_at
  ),
  told as (
    insert into ${s}.activity (id, occurred_at, action, category, outcome, severity, details, node)
    select id, clock_timestamp(), 'gap', 'activity', 'success', case when waiting > 0 then 'error' else 'warning' end,
      jsonb_build_object('sink', 'database', 'lost', jsonb_build_object('atLeast', waiting, 'atMost', queue),
        'from', seen_at, 'to', clock_timestamp(), 'node', gone.node),
      on_node
    from gone
  )
  select id, node, waiting, queue, extract(epoch from seen_at) * 1000 from gone
$$;
`;
