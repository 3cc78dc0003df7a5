import { columnsHashOf } from "./columns-hash.sql.js";

/**
 * Makes the function that finds what became of one table's noted records: its own statement (flushStatement), planned once a session,
 * while the table's name, columns and types are those of the last install; otherwise one made for the table as it is.
 */
export const flushFunction = (s: string): string => `-- version: 1
create or replace function ${s}.make_flush_function(t ${s}.tracked) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  shape bigint := ${columnsHashOf("t.table_oid")};
begin
  execute format('create or replace function ${s}.%I(payload jsonb) returns ${s}.change[] language plpgsql as %L', 'flush_' || t.id, format($body$
declare
  known boolean := ${columnsHashOf("to_regclass(%2$L)")} = %1$s;
  changes ${s}.change[];
begin
  if known and to_regclass(%2$L) = %3$s then
    return (%4$s);
  end if;
  execute (select ${s}.flush_statement(t) from ${s}.tracked t where id = %5$s) into changes using payload;
  return changes;
end$body$, shape, t.table_oid::regclass, t.table_oid, ${s}.flush_statement(t), t.id));
  execute format('revoke all on function ${s}.%I(jsonb) from public', 'flush_' || t.id);
end $make$;
`;
