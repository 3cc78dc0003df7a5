/**
 * Numbers as strings under the names given, so that JSON.parse loses no digit; arrays of them too. The other values are
 * not made again: an aggregate takes time with the square of a document's keys.
 */
export const digitsAsText = (s: string): string => `-- version: 2
create or replace function ${s}.digits_as_text(data jsonb, names text[]) returns jsonb
language sql immutable parallel safe as $$
  select case when data operator(pg_catalog.?|) names then data operator(pg_catalog.||) coalesce((
    select pg_catalog.jsonb_object_agg(d.key, ${s}.number_as_text(d.value))
    from pg_catalog.jsonb_each(data) d
    where d.key operator(pg_catalog.=) any (names)
    and pg_catalog.jsonb_typeof(d.value) operator(pg_catalog.=) any ('{number,array}')
  ), '{}') else data end
$$;
`;
