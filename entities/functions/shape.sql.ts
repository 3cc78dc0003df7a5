/** A table's columns and types in one text: when it changes, the capture function is made anew. */
export const shape = (s: string): string => `-- version: 1
create or replace function ${s}.shape(of regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select string_agg(name || ' ' || type, ', ' order by number) from ${s}.columns(of)
$$;
`;
