/**
 * Draws the transaction's last position when its deferred constraints have been checked: whatever those checks read was
 * committed before it. Of several notes only the last is found.
 */
export const settleCommit = (s: string): string => `-- version: 1
create or replace function ${s}.settle_commit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update ${s}.commit_marker set position = nextval('${s}.event_position_seq'), settled = true, occurred_at = clock_timestamp()
  where transaction_id = new.transaction_id and epoch = new.epoch and position = new.position;
  return null;
end $$;
`;
