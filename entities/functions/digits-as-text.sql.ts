/** Numbers as strings under the names given, so that JSON.parse loses no digit; arrays of them too. */
export const digitsAsText = (s: string): string => `-- version: 1
create or replace function ${s}.digits_as_text(data jsonb, names text[]) returns jsonb
language sql immutable parallel safe as $$
  select case when data operator(pg_catalog.?|) names then (
    select pg_catalog.jsonb_object_agg(
      d.key, case when d.key operator(pg_catalog.<>) all (names) then d.value else ${s}.number_as_text(d.value) end)
    from pg_catalog.jsonb_each(data) d
  ) else data end
$$;
`;
