/**
 * The SQL that makes a row's image in the log, for a relation aliased `t`. `to_jsonb(t.*)`, never `to_jsonb(t)`: a
 * column named like the alias would take its place. Where columns are always recorded as text they are text before JSON
 * is made: a document of type json may hold what jsonb refuses, and that must not fail the write; a type of others may
 * have a cast that runs their code (column_kind). Where a column needs
 * another form only now and then, an empty object is added otherwise, which copies nothing. `altered`: the table may
 * have been altered since the transaction's snapshot was taken.
 */
export const imageSql = (s: string): string => `-- version: 6
drop function if exists ${s}.image_sql(regclass, text[]);
create or replace function ${s}.image_sql(
  of regclass, excluded text[] default '{}', altered boolean default false
) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select '('
    || case when bool_or(c.kind in ('text', 'others')) or exists (
           select from pg_attribute a where a.attrelid = of and a.attgenerated = 'v') then format('(select to_jsonb(r.*) from (select %s) r)',
         string_agg(case c.kind
             when 'text' then format('t.%I::text as %I', c.name, c.name)
             when 'others' then format('%s as %I', ${s}.output_sql(format('t.%I', c.name)), c.name)
             else format('t.%I', c.name)
           end, ', ' order by c.number) filter (where c.name <> all (excluded)))
       else 'to_jsonb(t.*)' end
    || coalesce(string_agg(format(' || case when %s then jsonb_build_object(%L, to_jsonb(t.%I::text)) else ''{}'' end', ${s}.is_text_sql('t', c.name, c.kind), c.name, c.name), '' order by c.number)
         filter (where c.kind in ('jsonb', 'float', 'array') and c.name <> all (excluded)), '')
    || ')' || case when excluded = '{}' then '' else format(' - %L::text[]', excluded) end
  from (
    select c.name, c.kind, c.number from ${s}.columns(of) c where not altered
    union all
    select c.name, ${s}.column_kind(c.type), c.number from ${s}.columns_now(of) c where altered
  ) c
$$;
`;
