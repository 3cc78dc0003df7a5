/** The capture triggers of a table and its partitions, put where they are missing and removed where they do not belong. */
export const putTriggers = (s: string): string => `-- version: 1
create or replace function ${s}.put_triggers(of regclass, tracked_id smallint, capture text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  trigger record;
begin
  for trigger in select * from ${s}.unfit_triggers(of, tracked_id, capture) u where u.problem = 'unfit' and not u.cloned loop
    execute format('drop trigger %I on %s', trigger.name, trigger.relation);
  end loop;
  for trigger in select * from ${s}.unfit_triggers(of, tracked_id, capture) loop
    if trigger.problem = 'disabled' then
      execute format('alter table only %s enable trigger %I', trigger.relation, trigger.name);
    elsif not exists (select from pg_trigger g where g.tgrelid = trigger.relation and g.tgname = trigger.name) then
      execute trigger.definition; -- of a partitioned table: its partitions have it by that
    end if;
  end loop;
end $$;
`;
