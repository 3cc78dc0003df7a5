/**
 * The key, as the log has it, of an id that a caller gave as JSON: read through the table's own types, so that "5" and 5,
 * or two spellings of a UUID, are the same record. Null where the id lacks a key column. If others own the table or
 * types of its columns, not through these, whose checks and casts are theirs: a key of a domain is read as what the
 * domain is made of, any other as it is given.
 */
export const recordKeyOf = (s: string): string => `-- version: 3
create or replace function ${s}.record_key_of(of regclass, id jsonb, key_columns text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set timezone = 'UTC' set extra_float_digits = 1 as $$
declare
  image jsonb;
begin
  if not id ?& key_columns then return null; end if;
  if ${s}.is_own(of) then
    execute format('select to_jsonb(r.*) from jsonb_populate_record(null::%s, $1) r', of) into image using id;
  else
    execute (
      select format('select jsonb_build_object(%s) from jsonb_to_record($1) as r (%s)',
        string_agg(format('%L, %s', k.name, k.value), ', '),
        string_agg(format('%I %s', k.name, k.type), ', '))
      from (
        select c.name, case
          when c.kind = 'others' then ${s}.output_sql(format('r.%I', c.name))
          else format('r.%I', c.name)
        end as value, case
          when c.kind <> 'others' then c.type
          when ${s}.column_kind(b.type) <> 'others' then format_type(b.type, -1)
          else 'text'
        end as type
        from ${s}.columns(of) c
        join pg_attribute a on a.attrelid = of and a.attnum = c.number
        cross join lateral ${s}.base_type_of(a.atttypid) b (type)
        where c.name = any (key_columns)
      ) k
    ) into image using id;
  end if;
  return ${s}.record_key(image, key_columns);
end $$;
`;
