/** The most tails of one role that writers wake; more of them look at the log on their own. */
const mostTails = 20;
const mostSeconds = 120;
/** A table of rows that went is read by every writer, and while a snapshot is held nothing can shrink it. */
const mostBytes = 1024 * 1024;

/** Says that a tail sleeps for some seconds, so that writers wake it; and that it is awake again. */
export const fallAsleep = (s: string): string => `-- version: 1
create or replace function ${s}.fall_asleep(tail uuid, seconds double precision) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from ${s}.sleeping_tail where until < clock_timestamp() - interval '1 minute';
  insert into ${s}.sleeping_tail (id, until, role)
  select tail, clock_timestamp() + make_interval(secs => least(seconds, ${mostSeconds})), session_user
  where (select count(*) from ${s}.sleeping_tail where role = session_user and id <> tail) < ${mostTails}
  and pg_relation_size('${s}.sleeping_tail') < ${mostBytes}
  on conflict (id) do update set until = excluded.until where sleeping_tail.role = excluded.role
$$;
create or replace function ${s}.wake_up(tail uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from ${s}.sleeping_tail where id = tail and role = session_user
$$;
`;
