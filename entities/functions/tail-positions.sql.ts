import { throughBrin } from "./through-brin.js";

/**
 * The next positions of a tail, ordered by transaction and position: from one transaction of an epoch to before
 * another, those that the snapshot `seen` sees and `given` does not. It finds them by the index event_order. An index
 * of its own over (transaction_id, position) would cost every writer a seventh of an event's insert.
 */
export const tailPositions = (s: string): string => `-- version: 3
drop function if exists ${s}.tail_positions(smallint, bigint, bigint, bigint, pg_snapshot, integer);
create or replace function ${s}.tail_positions(of_epoch smallint, from_id bigint, to_id bigint, after_position bigint,
  given pg_snapshot, seen pg_snapshot, most integer, out place bigint, out id bigint) returns setof record
language plpgsql stable ${throughBrin} as $$
begin
  return query select e.position, e.transaction_id::text::bigint from ${s}.event e
    where e.transaction_id::text::bigint >= from_id and e.transaction_id::text::bigint < to_id and e.epoch = of_epoch
    and (e.transaction_id::text::bigint > from_id or e.position > after_position)
    and pg_visible_in_snapshot(e.transaction_id, seen) and not pg_visible_in_snapshot(e.transaction_id, given)
    order by 2, 1 limit most;
end $$;
`;
