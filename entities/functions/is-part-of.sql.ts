import { quoteLiteral } from "../../src/core/sql.js";

/**
 * Whether a relation is a tracked table, or a partition of it, as the catalog is now. The table is the one that has the
 * name; while none has it (a view may), the one that had it at the last install, which was renamed. If that is not
 * there either, as in another cluster before its first install, nothing speaks against it.
 */
export const isPartOf = (s: string): string => `-- version: 1
create or replace function ${s}.table_of(t ${s}.tracked) returns oid
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when (pg_identify_object('pg_class'::regclass, n.oid, 0)).type in ('table', 'foreign table') then n.oid
    else t.table_oid end
  from (select to_regclass(t.table_name)::oid as oid) n
$$;

create or replace function ${s}.is_part_of(relation oid, tracked_id smallint) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  own oid := (select ${s}.table_of(t) from ${s}.tracked t where t.id = tracked_id);
begin
  return relation = own
    or own is null
    or (pg_identify_object('pg_class'::regclass, own, 0)).type is null
    or exists (select from pg_partition_ancestors(relation) p where p.relid = own);
end $$;
`;

/**
 * The capture triggers on relations that are no part any more of the table whose events they write: of a partition that
 * was detached, of a table whose name another one has. They write nothing.
 */
export const strayTriggers = (s: string): string => `-- version: 1
create or replace function ${s}.stray_triggers()
returns table (relation regclass, name text, cloned boolean, tracked_id smallint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select g.tgrelid::regclass, g.tgname::text, g.tgparentid <> 0, t.id
  from pg_trigger g
  join pg_proc p on p.oid = g.tgfoid
  left join ${s}.tracked t on p.proname = 'capture_' || t.id
  where p.pronamespace = ${quoteLiteral(s)}::regnamespace and g.tgname like ' chronicle %'
  and (t.id is null or not ${s}.is_part_of(g.tgrelid, t.id))
$$;
`;
