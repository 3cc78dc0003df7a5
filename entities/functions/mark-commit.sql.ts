/** Notes that the transaction has a commit to come, whenever it wrote events: a deferred trigger will find the note. */
export const markCommit = (s: string): string => `-- version: 1
create or replace function ${s}.mark_commit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into ${s}.commit_marker (transaction_id, position)
  select pg_current_xact_id(), nextval('${s}.event_position_seq') from (select from written limit 1) any_event
  on conflict (transaction_id, epoch) do update set position = excluded.position, settled = false;
  return null;
end $$;
`;
