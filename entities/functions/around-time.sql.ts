import { throughBrin } from "./through-brin.js";

/**
 * The last position, of an event or a commit, stamped before a time, given one that is about there, and the first positions up to it that are stamped
 * later than `latest`: where there are any, the clock went back.
 */
export const aroundTime = (s: string): string => `-- version: 2
create or replace function ${s}.around_time(about bigint, moment timestamptz, latest timestamptz, out last bigint, out later bigint[])
language plpgsql stable ${throughBrin} as $$
begin
  last := greatest(about,
    (select max(e.position) from ${s}.event e where e.position > about and e.occurred_at < moment),
    (select max(m.position) from ${s}.commit_marker m where m.position > about and m.occurred_at < moment));
  later := array(select e.position from ${s}.event e where e.position <= last and e.occurred_at > latest order by e.position limit 20);
end $$;
`;
