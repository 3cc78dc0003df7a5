/** The columns of a record that were erased and not written since. */
export const erasedColumns = (s: string): string => `-- version: 2
create or replace function ${s}.erased_columns(of text, key text) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  with history as (
    select e.position, e.origin, e.metadata #> '{erase,columns}' as columns, e.data || coalesce(s.data, '{}') as data
    from ${s}.event e left join ${s}.event_sensitive s on s.position = e.position
    where e.table_name = any (${s}.table_names(of)) and e.record_key = key
  )
  select coalesce(array_agg(distinct c.name), '{}')
  from history e
  cross join lateral jsonb_array_elements_text(case when jsonb_typeof(e.columns) = 'array' then e.columns else '[]' end) as c (name)
  where e.origin = 'erase'
  and not exists (select from history l where l.position > e.position and l.data ? c.name)
$$;
`;
