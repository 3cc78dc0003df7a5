/**
 * The state of one record that was created more than once: its events merged from its last create on, up to a cut (see `Cut`), of a
 * table with these names in the log. `left_out` and `before` are of the epoch.
 */
export const lastLife = (s: string): string => `-- version: 1
create or replace function ${s}.last_life(names text[], key text, life bigint, cut bigint, left_out xid8[], before xid8, of_epoch smallint) returns jsonb
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
  select ${s}.merge(coalesce(e.data || h.data, e.data) order by e.position)
  from ${s}.event e left join ${s}.event_sensitive h on h.position = e.position
  where e.table_name = any (names) and e.record_key = key and e.position between life and cut
  and not (e.epoch = of_epoch and (e.transaction_id = any (left_out) or before is not null and e.transaction_id >= before))
$$;
`;
