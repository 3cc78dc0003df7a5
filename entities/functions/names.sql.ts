/** A JSON array of strings as text[]. */
export const names = (s: string): string => `-- version: 1
create or replace function ${s}.names(list jsonb) returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(value order by ordinal), '{}') from jsonb_array_elements_text(coalesce(nullif(list, 'null'), '[]')) with ordinality as l (value, ordinal)
$$;
`;
