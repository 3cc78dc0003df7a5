import { quoteLiteral } from "../../src/core/sql.js";
import { triggerSuffix } from "./trigger-suffix.js";

/**
 * What is wrong with the capture triggers of a table and its partitions, a row each: missing, disabled, or unfit (of another
 * level or function, or one too many). Nothing where all is well.
 */
export const unfitTriggers = (s: string): string => `-- version: 1
create or replace function ${s}.unfit_triggers(of regclass, tracked_id smallint, capture text)
returns table (relation regclass, name text, problem text, definition text, cloned boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with relation as (
    select of::oid as oid, 0 as depth union select p.relid, p.level from pg_partition_tree(of) p
  ),
  kind as materialized (
    select ${s}.level_of(of) as level, ${s}.row_by_row(of) as row_by_row, p.oid as function
    from (select) one left join pg_proc p on p.pronamespace = ${quoteLiteral(s)}::regnamespace and p.proname = 'capture_' || tracked_id
  ),
  wanted as (
    select r.oid, r.depth, v.name || '${triggerSuffix(s)}' as name, k.function,
      v.name <> ' chronicle truncate' and k.level = 'row' as per_row,
      case when k.level = 'statement' or not k.row_by_row then v.referencing else '' end as referencing,
      v.event
    from relation r cross join kind k cross join (values
      (' chronicle insert', 'after insert', 'referencing new table as new_rows'),
      (' chronicle update', 'after update', 'referencing old table as old_rows new table as new_rows'),
      (' chronicle delete', 'after delete', 'referencing old table as old_rows'),
      (' chronicle truncate', 'before truncate', '')
    ) as v (name, event, referencing)
    where capture = 'trigger'
  ),
  present as (
    select g.tgrelid as oid, g.tgname::text as name, g.tgfoid as function, g.tgtype & 1 = 1 as per_row, g.tgenabled in ('O', 'A') as enabled,
      g.tgoldtable is not null or g.tgnewtable is not null as referencing, g.tgparentid <> 0 as cloned
    from pg_trigger g join relation r on r.oid = g.tgrelid join pg_proc p on p.oid = g.tgfoid
    where g.tgname like ' chronicle %' and p.pronamespace = ${quoteLiteral(s)}::regnamespace
  )
  select oid::regclass, name, case when p.oid is null then 'missing' when w.oid is null or not f.fits then 'unfit' else 'disabled' end,
    format('create trigger %I %s on %s %s for each %s execute function %s()', name, w.event, oid::regclass, w.referencing, case when w.per_row then 'row' else 'statement' end, w.function::regproc),
    coalesce(p.cloned, false)
  from wanted w full join present p using (oid, name)
  cross join lateral (select p.function = w.function and p.per_row = w.per_row and p.referencing = (w.referencing <> '') as fits) f
  where f.fits is not true or not p.enabled
  order by w.depth, name
$$;
`;
