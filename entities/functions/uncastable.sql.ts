/**
 * The first column of a record whose stored value is not a value of its type; null if there is none. `readers` are, by
 * column, the SQL over a state `f.state` and a record `r` that a fold reads it by. Slow, and only called when a fold
 * has failed.
 */
export const uncastable = (s: string): string => `-- version: 1
create or replace function ${s}.uncastable_column(of regclass, stored jsonb, readers jsonb) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  reader record;
  query text := 'select row(%s)::text
    from (select $1 as state) f
    cross join lateral jsonb_populate_record(null::%s, $2) r';
  made text;
begin
  begin
    execute format(query, (select string_agg(c.value, ', ') from jsonb_each_text(readers) c), of)
    into made using stored, stored;
    return null;
  exception when data_exception or integrity_constraint_violation then null;
  end;
  for reader in select * from jsonb_each_text(readers) loop
    begin
      execute format(query, reader.value, of)
      into made using stored, jsonb_build_object(reader.key, stored -> reader.key);
    exception when data_exception or integrity_constraint_violation then
      return reader.key;
    end;
  end loop;
  return null;
end $$;
`;

/**
 * Fails for a record that cannot be folded, from inside the statement that folds it: what is wrong is the message, its
 * key is the hint.
 */
export const refuseRecord = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_record(record_key text, problem text) returns jsonb
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '%', problem using errcode = 'CH021', hint = record_key;
end $$;
`;

/** The same for a record that holds values of columns which its table does not have. */
export const refuseStray = (s: string): string => `-- version: 1
create or replace function ${s}.refuse_stray(record_key text, stray jsonb) returns boolean
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '%', (select min(k) from jsonb_object_keys(stray) k) using errcode = 'CH022', hint = record_key;
end $$;
`;
