/**
 * A record's key in the log: the value of its one key column as text, or the values as a JSON array; a long key by its
 * hash. In plpgsql, which costs a microsecond a call where an SQL function that is not inlined costs eight; pinned settings
 * would cost as much again, so every name is qualified.
 */
export const recordKey = (s: string): string => `-- version: 2
create or replace function ${s}.record_key(record_id jsonb, key_columns text[]) returns text
language plpgsql immutable parallel safe as $$
declare
  key pg_catalog.text;
  name pg_catalog.text;
  list pg_catalog.jsonb := '[]';
begin
  if pg_catalog.cardinality(key_columns) operator(pg_catalog.=) 1 then
    key := coalesce(record_id operator(pg_catalog.->>) key_columns[1], '');
  else
    foreach name in array key_columns loop
      list := list operator(pg_catalog.||) pg_catalog.jsonb_build_array(record_id operator(pg_catalog.->) name);
    end loop;
    key := list::pg_catalog.text;
  end if;
  if pg_catalog.length(key) operator(pg_catalog.>) 500 then
    return 'sha256:' operator(pg_catalog.||) pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(key, 'UTF8')), 'hex');
  end if;
  return key;
end $$;
`;
