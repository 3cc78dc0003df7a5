/**
 * SQL: whether a tail sleeps that may be woken. Writers look into a table that is empty otherwise. If the server has
 * prepared transactions, none is woken: a transaction that notified could not be prepared, and tails look by themselves.
 */
export const tailSleeps = (s: string): string =>
  `exists (select from ${s}.sleeping_tail where until > clock_timestamp() and current_setting($q$max_prepared_transactions$q$)::integer = 0)`;

/** Wakes tails that sleep, and no others: a NOTIFY per write would make commits wait for one another, since Postgres lets only one
 * notifying transaction commit at a time. */
export const wakeTails = (s: string): string => `-- version: 2
create or replace function ${s}.wake_tails() returns void
language sql set search_path = pg_catalog, pg_temp as $$
  select pg_notify(n.nspname, '')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = '${s}.event'::regclass and ${tailSleeps(s)}
$$;
`;
