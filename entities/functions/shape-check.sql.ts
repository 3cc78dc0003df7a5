/** Where columns are written in a form of their own: when one of them is gone, the statement is made anew instead of failing. */
export const shapeCheck = (s: string): string => `-- version: 1
create or replace function ${s}.shape_check(t ${s}.tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when cardinality(t.special_columns) = 0 then '' else format($check$select to_jsonb(t.*) ?& %L::text[] into shaped from %I t limit 1;
    if not shaped then
      execute ${s}.capture_statement(%s::smallint, TG_OP, '$1') using context;
      return null;
    end if;$check$, t.special_columns, rows, t.id) end
$$;
`;
