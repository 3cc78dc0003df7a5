/**
 * The key, as the log has it, of an id that a caller gave as JSON: read through the table's own types, so that "5" and 5,
 * or two spellings of a UUID, are the same record. Null where the id lacks a key column.
 */
export const recordKeyOf = (s: string): string => `-- version: 1
create or replace function ${s}.record_key_of(of regclass, id jsonb, key_columns text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set timezone = 'UTC' set extra_float_digits = 1 as $$
declare
  image jsonb;
begin
  if not id ?& key_columns then return null; end if;
  execute format('select to_jsonb(r.*) from jsonb_populate_record(null::%s, $1) r', of) into image using id;
  return ${s}.record_key(image, key_columns);
end $$;
`;
