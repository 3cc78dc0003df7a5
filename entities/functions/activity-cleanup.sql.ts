/**
 * Deletes up to `most` entries older than a time, oldest first: the one way in which an entry ends.
 * A role that does not own the log never deletes what is younger than the retention that install() was given.
 * Returns how many it deleted.
 */
export const activityCleanup = (s: string): string => `-- version: 2
create or replace function ${s}.activity_cleanup(older_than timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  deleted bigint;
begin
  perform set_config('chronicle.permitted', pg_current_xact_id()::text, true);
  delete from ${s}.activity
  where id in (
    select id from ${s}.activity where occurred_at < ${s}.activity_ends(older_than)
    order by occurred_at, id
    limit most);
  get diagnostics deleted = row_count;
  perform set_config('chronicle.permitted', '', true);
  return deleted;
end $$;
`;

/** The time before which this session's role may end entries; it is at most the one asked for. */
export const activityEnds = (s: string): string => `-- version: 1
create or replace function ${s}.activity_ends(older_than timestamptz) returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when pg_has_role(session_user, c.relowner, 'member') then older_than
    else least(older_than, clock_timestamp() - make_interval(secs => i.activity_retention_days * 86400))
  end
  from ${s}.installation i, pg_class c
  where c.oid = '${s}.activity'::regclass and (
    i.activity_retention_days is not null or pg_has_role(session_user, c.relowner, 'member'))
$$;
`;

/** How many entries are older than a time, and how many of them this session's role may end. */
export const activityDue = (s: string): string => `-- version: 1
create or replace function ${s}.activity_due(older_than timestamptz, out asked bigint, out due bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where a.occurred_at < ${s}.activity_ends(older_than))
  from ${s}.activity a
  where a.occurred_at < older_than
$$;
`;
