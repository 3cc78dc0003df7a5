export const numberAsText = (s: string): string => `-- version: 1
create or replace function ${s}.number_as_text(value jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case jsonb_typeof(value)
    when 'number' then to_jsonb(value #>> '{}')
    when 'array' then (select coalesce(jsonb_agg(${s}.number_as_text(element) order by ordinal), '[]') from jsonb_array_elements(value) with ordinality as e (element, ordinal))
    else value
  end
$$;
`;
