/**
 * TRUNCATE takes every row away, also those that a transaction at REPEATABLE READ or above does not see, and the trigger reads by its
 * snapshot. So it is refused where any other transaction has committed since, as Postgres itself refuses a DELETE of such a row; which
 * tables that wrote cannot be told from inside the snapshot.
 */
export const refuseOldSnapshot = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_old_snapshot(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  seen pg_snapshot := pg_current_snapshot();
  id bigint := pg_snapshot_xmax(seen)::text::bigint;
  is_old boolean;
begin
  if current_setting('transaction_isolation') not in ('repeatable read', 'serializable') then return; end if;
  is_old := exists (select from pg_snapshot_xip(seen) x (id) where pg_xact_status(x.id) = 'committed');
  begin
    while is_old is not true loop
      is_old := pg_xact_status(id::text::xid8) = 'committed';
      id := id + 1;
    end loop;
  exception when invalid_parameter_value then -- the first id that no transaction has yet
  end;
  if is_old then
    raise exception 'could not serialize access: other transactions have committed since this one''s snapshot, so the rows that TRUNCATE takes out of % cannot be recorded', relation
      using errcode = 'serialization_failure', hint = 'Try the transaction again, at READ COMMITTED, or with DELETE.';
  end if;
end $$;
`;
