/** A record's key as text: the one column's value, or the values as a JSON array. A long key is hashed, so that an index can hold it. */
export const recordKey = (s: string): string => `-- version: 1
create or replace function ${s}.record_key(record_id jsonb, key_columns text[]) returns text
language sql immutable parallel safe as $$
  select case when length(key) > 500 then 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex') else key end
  from (
    select case when cardinality(key_columns) = 1 then coalesce(record_id ->> key_columns[1], '')
                else (select jsonb_agg(record_id -> name order by ordinal)::text from unnest(key_columns) with ordinality as k (name, ordinal))
           end
  ) made (key)
$$;
`;
