/** A value of an enum, or an array of them, under the labels that were renamed since. */
export const relabelled = (s: string): string => `-- version: 1
create or replace function ${s}.relabelled(value jsonb, labels jsonb) returns jsonb
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case jsonb_typeof(value)
    when 'string' then coalesce(labels -> (value #>> '{}'), value)
    when 'array' then (
      select coalesce(jsonb_agg(${s}.relabelled(element, labels) order by ordinal), '[]')
      from jsonb_array_elements(value) with ordinality as e (element, ordinal)
    )
    else value
  end
$$;
`;
