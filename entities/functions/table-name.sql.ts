/** How the log names a table: schema-qualified, quoted only where a name is not simple. Reads back as regclass. */
export const tableName = (s: string): string => `-- version: 1
create or replace function ${s}.table_name(of oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select string_agg(case when part ~ '^[a-z_][a-z0-9_$]*$' then part else '"' || replace(part, '"', '""') || '"' end, '.' order by ordinal)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest(array[n.nspname::text, c.relname::text]) with ordinality as p (part, ordinal)
  where c.oid = of
$$;
`;
