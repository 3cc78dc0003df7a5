/** The capture triggers of a table and its partitions, put where they are missing and removed where they do not belong. */
export const putTriggers = (s: string): string => `-- version: 1
create or replace function ${s}.put_triggers(of regclass, tracked_id smallint, capture text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  relation regclass;
  put record;
begin
  for relation in select of union select p.relid from pg_partition_tree(of) p loop
    for put in select * from (values
      (' chronicle insert', 'after insert', 'referencing new table as new_rows'),
      (' chronicle update', 'after update', 'referencing old table as old_rows new table as new_rows'),
      (' chronicle delete', 'after delete', 'referencing old table as old_rows'),
      (' chronicle truncate', 'before truncate', '')
    ) as v (name, event, referencing) loop
      if exists (
        select from pg_trigger g join pg_proc p on p.oid = g.tgfoid
        where g.tgrelid = relation and g.tgname = put.name and p.proname = 'capture_' || tracked_id and capture = 'trigger' and g.tgenabled in ('O', 'A')
      ) then continue; end if;
      execute format('drop trigger if exists %I on %s', put.name, relation);
      if capture = 'trigger' then
        execute format('create trigger %I %s on %s %s for each statement execute function ${s}.%I()', put.name, put.event, relation, put.referencing, 'capture_' || tracked_id);
      end if;
    end loop;
  end loop;
end $$;
`;
