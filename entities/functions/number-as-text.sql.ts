export const numberAsText = (s: string): string => `-- version: 1
create or replace function ${s}.number_as_text(value jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case
    when pg_catalog.jsonb_typeof(value) operator(pg_catalog.=) 'number'
    then pg_catalog.to_jsonb(value operator(pg_catalog.#>>) '{}')
    when pg_catalog.jsonb_typeof(value) operator(pg_catalog.=) 'array'
    then (
      select coalesce(pg_catalog.jsonb_agg(${s}.number_as_text(element) order by ordinal), '[]')
      from pg_catalog.jsonb_array_elements(value) with ordinality as e (element, ordinal))
    else value
  end
$$;
`;
