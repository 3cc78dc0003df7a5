import { throughBrin } from "./through-brin.js";

/**
 * The next positions of a tail, ordered by transaction and position, from one transaction of an epoch to before another. Reads what
 * lies near them through event_order: an index of its own over (transaction_id, position) would cost every writer a seventh of an
 * event's insert.
 */
export const tailPositions = (s: string): string => `-- version: 2
create or replace function ${s}.tail_positions(of_epoch smallint, from_id bigint, to_id bigint, after_position bigint, known pg_snapshot, most integer,
  out place bigint, out id bigint) returns setof record
language plpgsql stable ${throughBrin} as $$
begin
  return query select e.position, e.transaction_id::text::bigint from ${s}.event e
    where e.transaction_id::text::bigint >= from_id and e.transaction_id::text::bigint < to_id and e.epoch = of_epoch
    and (e.transaction_id::text::bigint > from_id or e.position > after_position)
    and (known is null or not pg_visible_in_snapshot(e.transaction_id, known))
    order by 2, 1 limit most;
end $$;
`;
