/**
 * The SQL that makes a row's image in the log, for a relation aliased `t`.
 * `to_jsonb(t.*)`, never `to_jsonb(t)`: a column named like the alias would take its place. Where a column needs another form only
 * now and then, an empty object is added otherwise, which copies nothing.
 */
export const imageSql = (s: string): string => `-- version: 2
create or replace function ${s}.image_sql(of regclass, excluded text[] default '{}') returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select '(to_jsonb(t.*)'
    || coalesce(string_agg(format(' || case when %s then jsonb_build_object(%L, to_jsonb(t.%I::text)) else ''{}'' end', ${s}.is_text_sql('t', c.name, c.kind), c.name, c.name), '' order by c.number), '')
    || ')' || case when excluded = '{}' then '' else format(' - %L::text[]', excluded) end
  from ${s}.columns(of) c
  where c.kind in ('text', 'jsonb', 'float', 'array') and c.name <> all (excluded)
$$;
`;
