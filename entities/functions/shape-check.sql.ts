import { columnsHashOf } from "./columns-hash.sql.js";
import { tailSleeps } from "./wake-tails.sql.js";

/**
 * The statement that finds, for the rows of a transition table, whether there is none, one, or more; whether the table's columns and
 * their types are still those of the last install; and whether a tail sleeps. A statement that names columns would not even be planned
 * when one of them is gone, would miss one that came since, and takes the form of a value from its type.
 */
export const shapeCheck = (s: string): string => `-- version: 3
create or replace function ${s}.shape_check(t ${s}.tracked, rows text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('select count(*), case TG_RELID when %1$s then ${s}.columns_hash(%1$s) else ${s}.columns_hash(TG_RELID) end = %2$s, ${tailSleeps(s)}
    into affected, known, tail_sleeps
    from (select from %3$I limit 2) r', t.table_oid, ${columnsHashOf("t.table_oid")}, rows)
$$;
`;
