/**
 * Takes the log's advisory lock to the end of the transaction. Without keys of their own (arrays of one 64-bit or two 32-bit
 * numbers, in the order in which everybody takes them) it is the one that install() kept.
 */
export const lockLog = (s: string): string => `-- version: 1
create or replace function ${s}.lock_log(keys jsonb default null, exclusive boolean default true) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  suffix text := case when exclusive then '' else '_shared' end;
  key jsonb;
begin
  if jsonb_typeof(keys) is distinct from 'array' then
    execute format('select pg_advisory_xact_lock%s(%s)', suffix, (select lock_arguments from ${s}.installation));
    return;
  end if;
  for key in select k.value from jsonb_array_elements(keys) with ordinality as k (value, ordinal) order by k.ordinal loop
    if jsonb_array_length(key) = 1 then
      execute format('select pg_advisory_xact_lock%s($1)', suffix) using (key ->> 0)::bigint;
    else
      execute format('select pg_advisory_xact_lock%s($1, $2)', suffix) using (key ->> 0)::integer, (key ->> 1)::integer;
    end if;
  end loop;
end $$;
`;
