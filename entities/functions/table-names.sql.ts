/** Every name that a tracked table has had in the log, today's first. */
export const tableNames = (s: string): string => `-- version: 1
create or replace function ${s}.table_names(of text) returns text[]
language sql stable as $$
  select coalesce(
    (select pg_catalog.array_prepend(t.table_name, t.former_tables)
     from ${s}.tracked t
     where t.table_name operator(pg_catalog.=) of),
    array[of])
$$;
`;
