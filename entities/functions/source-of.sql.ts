const group = "[0-9a-f]{1,4}";
const groups = `${group}(?::${group})*`;
const long = `(?:${group}:){7}${group}`;
const short = `(?!(?:[^:]*:){8})(?:${groups})?::(?:${groups})?`;

/**
 * What an address that is kept counts as: of IPv6 its /64, because whoever has one address has all of that; anything
 * else as it is. Nothing but IPv6 is cast, for a cast that fails would fail for all rows.
 */
export const sourceOf = (s: string): string => `-- version: 1
create or replace function ${s}.source_of(ip text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case
    when ip ~ '^(?:${long}|${short})(?:/(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-8]))?$'
    then network(set_masklen(ip::inet, 64))::text
    else ip
  end
$$;
`;
