/**
 * A record's key in the log: the value of its one key column as text, or the values as a JSON array; a long key by its
 * hash. In plpgsql, which costs a microsecond a call where an SQL function that is not inlined costs eight.
 */
export const recordKey = (s: string): string => `-- version: 2
create or replace function ${s}.record_key(record_id jsonb, key_columns text[]) returns text
language plpgsql immutable parallel safe as $$
declare
  key text;
  name text;
  list jsonb := '[]';
begin
  if cardinality(key_columns) = 1 then
    key := coalesce(record_id ->> key_columns[1], '');
  else
    foreach name in array key_columns loop
      list := list || jsonb_build_array(record_id -> name);
    end loop;
    key := list::text;
  end if;
  if length(key) > 500 then
    return 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex');
  end if;
  return key;
end $$;
`;
