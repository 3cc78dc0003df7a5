/**
 * Deletes up to `most` entries older than a time, oldest first: the one way in which an entry ends.
 * A role that does not own the log never deletes what is younger than the retention that install() was given.
 * Returns how many it deleted.
 */
export const activityCleanup = (s: string): string => `-- version: 1
create or replace function ${s}.activity_cleanup(older_than timestamptz, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  keeps double precision := (select coalesce(activity_retention_days, 'infinity') from ${s}.installation);
  deleted bigint;
begin
  if not pg_has_role(session_user, (select relowner from pg_class where oid = '${s}.activity'::regclass), 'member') then
    if keeps = 'infinity' then return 0; end if;
    older_than := least(older_than, clock_timestamp() - make_interval(secs => keeps * 86400));
  end if;
  delete from ${s}.activity where id in (select id from ${s}.activity where occurred_at < older_than order by occurred_at, id limit most);
  get diagnostics deleted = row_count;
  return deleted;
end $$;
`;
