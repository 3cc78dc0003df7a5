/**
 * Takes the log's advisory lock to the end of the transaction. Without keys of their own (arrays of one 64-bit or two
 * 32-bit numbers, in the order in which everybody takes them) it is the one that install() kept, and so is how long it
 * waits.
 */
export const lockLog = (s: string): string => `-- version: 3
create or replace function ${s}.lock_log(keys jsonb default null, exclusive boolean default true) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  lists jsonb;
  most integer;
  began timestamptz := clock_timestamp();
  key jsonb;
  locked text;
begin
  select lock_timeout_ms,
    case jsonb_typeof(keys)
      when 'array' then keys
      else jsonb_build_array(to_jsonb(string_to_array(lock_arguments, ', ')))
    end
  into most, lists
  from ${s}.installation;
  for place in 0 .. jsonb_array_length(lists) - 1 loop
    key := lists -> place;
    if most is not null then
      perform ${s}.lock_within(most, began, key, exclusive);
    elsif jsonb_array_length(key) = 1 and exclusive then
      locked := pg_advisory_xact_lock((key ->> 0)::bigint);
    elsif jsonb_array_length(key) = 1 then
      locked := pg_advisory_xact_lock_shared((key ->> 0)::bigint);
    elsif exclusive then
      locked := pg_advisory_xact_lock((key ->> 0)::integer, (key ->> 1)::integer);
    else
      locked := pg_advisory_xact_lock_shared((key ->> 0)::integer, (key ->> 1)::integer);
    end if;
  end loop;
end $$;
`;
