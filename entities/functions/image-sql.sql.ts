/**
 * The SQL that makes a row's image in the log, for a relation aliased `t`.
 * `to_jsonb(t.*)`, never `to_jsonb(t)`: a column named like the alias would take its place.
 * Each special column is written so that it still works after its type was changed.
 */
export const imageSql = (s: string): string => `-- version: 1
create or replace function ${s}.image_sql(of regclass, excluded text[] default '{}') returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select 'to_jsonb(t.*)'
    || coalesce(' || jsonb_build_object(' || string_agg(format('%L, ', c.name) || case c.kind
         when 'text' then format('to_jsonb(t.%I::text)', c.name)
         when 'jsonb' then format('case when jsonb_typeof(to_jsonb(t.%1$I)) in (''null'', ''string'') then to_jsonb(t.%1$I::text) else to_jsonb(t.%1$I) end', c.name)
         when 'float' then format('case when t.%1$I::text = ''-0'' then to_jsonb(t.%1$I::text) else to_jsonb(t.%1$I) end', c.name)
         when 'array' then format('case when t.%1$I::text ~ ''^\\[|-0[,}]'' then to_jsonb(t.%1$I::text) else to_jsonb(t.%1$I) end', c.name)
       end, ', ' order by c.number) || ')', '')
    || case when excluded = '{}' then '' else format(' - %L::text[]', excluded) end
  from ${s}.columns(of) c
  where c.kind in ('text', 'jsonb', 'float', 'array') and c.name <> all (excluded)
$$;
`;
