import { isLockOnKey } from "./is-lock-on-key.js";

/**
 * Takes an advisory lock of the log, of whose keys it may wait for `most` milliseconds in all since `began`: for none
 * but this lock. The session's own lock_timeout counts if it ends sooner, and its error stays as it is; afterwards it
 * is what it was.
 */
export const lockWithin = (s: string): string => `-- version: 1
create or replace function ${s}.lock_within(
  most integer, began timestamptz, parts jsonb, exclusive boolean
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  key bigint[] := array(
    select value::bigint from jsonb_array_elements_text(parts) with ordinality order by ordinality);
  own text := current_setting('lock_timeout');
  waited integer := floor(extract(epoch from clock_timestamp() - began) * 1000); -- never ends before its time
  holders text;
begin
  perform set_config(
    'lock_timeout',
    least(nullif(extract(epoch from own::interval) * 1000, 0), greatest(most - waited, 1))::integer::text,
    true
  );
  execute format(
    'select pg_advisory_xact_lock%s(''%s'')',
    case when not exclusive then '_shared' end,
    array_to_string(key, ''', ''')
  );
  perform set_config('lock_timeout', own, true);
exception when lock_not_available then
  if clock_timestamp() < began + make_interval(secs => most / 1000.0) then
    raise;
  end if;
  select string_agg(distinct coalesce('process ' || l.pid, 'a prepared transaction'), ', ') into holders
  from pg_locks l
  where l.granted and l.pid is distinct from pg_backend_pid() and ${isLockOnKey("key")};
  raise exception 'the lock of the event log was not free within % ms%',
    most, coalesce(': it is held by ' || holders, '') using errcode = 'CH009';
end $$;
`;
