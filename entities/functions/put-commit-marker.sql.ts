/**
 * Where a tracked table has a constraint that may be deferred, a transaction's last event can precede a check that decides its
 * commit, so the transaction gets one more position at its commit. It costs an eighth to a third of the throughput: only there.
 */
export const putCommitMarker = (s: string): string => `-- version: 1
create or replace function ${s}.put_commit_marker() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  needed boolean := exists (
    select from pg_constraint c join ${s}.tracked t on t.table_oid in (c.conrelid, c.confrelid) where c.condeferrable);
  there boolean := exists (select from pg_trigger where tgrelid = '${s}.event'::regclass and tgname = 'mark_commit');
begin
  if needed and not there then
    create trigger mark_commit after insert on ${s}.event referencing new table as written
      for each statement execute function ${s}.mark_commit();
    create constraint trigger settle_commit after insert or update on ${s}.commit_marker deferrable initially deferred
      for each row when (not new.settled) execute function ${s}.settle_commit();
  elsif there and not needed then
    drop trigger mark_commit on ${s}.event;
    drop trigger settle_commit on ${s}.commit_marker;
  end if;
end $$;
`;
