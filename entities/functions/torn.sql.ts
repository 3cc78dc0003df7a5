import { throughBrin } from "./through-brin.js";

/**
 * The transactions of an epoch that wrote on both sides of a position, or came to their commit above it. `id` is that of the
 * last event up to it, which is known to lie below. Only what lies near the position is read: 13 ms in a log of a million events
 * of 16 interleaved writers, where a join over all of it took a second.
 */
export const torn = (s: string): string => `-- version: 2
create or replace function ${s}.torn(cut bigint, of_epoch smallint, id xid8) returns xid8[]
language plpgsql stable ${throughBrin} as $$
declare
  newest bigint := greatest(id::text::bigint, (select max(e.transaction_id::text::bigint) from ${s}.event e
    where e.position <= cut and e.transaction_id::text::bigint > id::text::bigint and e.epoch = of_epoch));
  later bigint[] := array(select distinct e.transaction_id::text::bigint from ${s}.event e
    where e.position > cut and e.transaction_id::text::bigint <= newest and e.epoch = of_epoch
    union
    select m.transaction_id::text::bigint from ${s}.commit_marker m
    where m.position > cut and m.transaction_id::text::bigint <= newest and m.epoch = of_epoch);
begin
  return array(select l.id::text::xid8 from unnest(later) as l (id)
    where l.id = torn.id::text::bigint or exists (select from ${s}.event e where e.position <= cut and e.transaction_id::text::bigint = l.id and e.epoch = of_epoch));
end $$;
`;
