/** How many sign-ins failed since a time, of all that is given: so that a check before the next one needs no right to read. */
export const activityFailures = (s: string): string => `-- version: 1
create or replace function ${s}.activity_failures(
  actions text[], since timestamptz, of_subject text, of_actor_type text, of_actor_id text, of_ips text[]
) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(*)
  from ${s}.activity a
  where a.action = any (actions) and a.outcome = 'failure' and a.source = 'server' and a.occurred_at > since
  and coalesce(of_subject, of_actor_id, of_actor_type, of_ips[1]) is not null
  and (of_subject is null or a.subject = of_subject)
  and (of_actor_type is null or a.actor_type = of_actor_type)
  and (of_actor_id is null or a.actor_id = of_actor_id)
  and (of_ips is null or ${s}.source_of(a.ip) = all (of_ips))
$$;
`;
