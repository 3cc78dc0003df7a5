/**
 * SQL over a relation under an alias: whether a column's value is recorded as text, by the column's kind (column_kind), because
 * its JSON image would not come back equal. Written so that it still works after the column's type was changed.
 */
export const isTextSql = (s: string): string => `-- version: 1
create or replace function ${s}.is_text_sql(alias text, name text, kind text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select format(case kind
    when 'text' then 'true'
    when 'jsonb' then 'jsonb_typeof(to_jsonb(%1$I.%2$I)) in (''null'', ''string'')'
    when 'float' then '%1$I.%2$I::text = ''-0'''
    when 'array' then '%1$I.%2$I::text ~ ''^[[]|-0[,}]'''
    else 'false'
  end, alias, name)
$$;
`;

/**
 * SQL for a value's text by its type's output function, which runs no cast. It asks "is distinct from null", because a
 * composite of nulls is null to "is null", and format() gives an empty text for null.
 */
export const outputSql = (s: string): string => `-- version: 1
create or replace function ${s}.output_sql(value text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select concat('case when ', value, ' is distinct from null then format(''%s'', ', value, ') end')
$$;
`;

/** The SQL that makes one column's value in the log. */
export const columnImageSql = (s: string): string => `-- version: 2
create or replace function ${s}.column_image_sql(alias text, name text, kind text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select format(case kind
    when 'text' then 'to_jsonb(%1$I.%2$I::text)'
    when 'others' then 'to_jsonb(%4$s)'
    when 'plain' then 'to_jsonb(%1$I.%2$I)'
    else 'case when %3$s then to_jsonb(%1$I.%2$I::text) else to_jsonb(%1$I.%2$I) end'
  end, alias, name, ${s}.is_text_sql(alias, name, kind), ${s}.output_sql(format('%I.%I', alias, name)))
$$;
`;
