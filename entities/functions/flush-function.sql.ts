import { tailSleeps } from "./wake-tails.sql.js";

/**
 * Makes the function that records what became of one table's noted records, which share a context and the verb that
 * touched them first, and returns how many of them the log does not know. While the table's name, columns and types are
 * those of the last install its statements are planned once a session; otherwise one is made for the table as it is.
 */
export const flushFunction = (s: string): string => `-- version: 4
create or replace function ${s}.make_flush_function(t ${s}.tracked) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  shape bigint := ${s}.columns_hash(t.table_oid, t.table_oid);
begin
  execute format('create or replace function ${s}.%I(context jsonb, first text, keys jsonb) returns bigint language plpgsql set search_path = pg_catalog, pg_temp as %L', 'flush_' || t.id, format($body$
declare
  known boolean := coalesce(to_regclass(%2$L) = %3$s, false);
  tail_sleeps boolean;
  written bigint;
  lost bigint;
begin
  if not known and not ${s}.is_part_of(%3$s, %4$s::smallint) then
    raise exception 'the table %% is another one than at the last install', %8$L using errcode = 'CH012';
  end if;
  if known then
    select count(*) = 0 and ${s}.columns_hash(%3$s, %3$s) = %1$s%7$s, ${tailSleeps(s)}
    into known, tail_sleeps
    from (select from %2$s limit 0) r;
  end if;
  if known and first = 'insert' and current_setting('transaction_isolation') = 'read committed' then
    %5$s;
    get diagnostics written = row_count;
  end if;
  -- Not an insert; or one that came and went, or of a record that the log knows, because it was removed past it.
  if known and coalesce(written, -1) < jsonb_array_length(keys) then
    %6$s;
    get diagnostics written = row_count;
  elsif not known then
    execute ${s}.capture_statement(%4$s::smallint, 'FLUSH', '$1', relation => %3$s, shape => '$4')
    using context, first, keys, (select ${s}.note_shape(k, %3$s) from ${s}.tracked k where k.id = %4$s);
    get diagnostics written = row_count;
  end if;
  if first <> 'insert' and written < jsonb_array_length(keys) then
    execute (
      select ${s}.flush_lost(case when known then t else ${s}.as_it_is(t, %3$s) end)
      from ${s}.tracked t
      where t.id = %4$s
    ) into lost using context, first, keys;
  end if;
  if tail_sleeps is not false then
    perform ${s}.wake_tails();
  end if;
  return coalesce(lost, 0);
end$body$, shape, t.table_oid::regclass, t.table_oid, t.id,
    ${s}.capture_statement(t.id, 'FLUSH INSERT', '$1', known => true),
    ${s}.capture_statement(t.id, 'FLUSH', '$1', known => true), ${s}.same_labels(t),
    t.table_name));
  execute format('revoke all on function ${s}.%I(jsonb, text, jsonb) from public', 'flush_' || t.id);
end $make$;
`;
