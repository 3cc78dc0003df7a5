import { expect } from "chai";
import { Car, Category, Invoice, InvoiceLine, Person } from "./entities.js";
import type { Work } from "./run.js";
import type { World } from "./world.js";

/** What must hold after any history. The log is read by plain SQL; the library is asked for nothing but to replay. */
export async function expectAllHolds(world: World, works: readonly Work[]): Promise<void> {
  await expectChains(world, "after the history");
  await expectMarks(world, works);
  await expectSoftRemovesNamed(world);
  const rows = await world.rows();
  const end = await world.position();
  await world.lose();
  await world.log.replay();
  world.expectRows(await world.rows(), rows, "after a replay into empty tables");
  expect(await world.position(), "the last position after a replay to the end, which records nothing").to.equal(end);
  for (let moment = world.moments - 1; moment >= 0; moment--) await world.rewind(moment);
  await world.log.replay(end);
  world.expectRows(await world.rows(), rows, "after a replay forward again");
  await expectChains(world, "after the replays");
  await world.lose();
  await world.log.replay();
  world.expectRows(await world.rows(), rows, "after a second loss");
  const { differences } = await world.log.verify();
  expect(differences, "what verify says").to.deep.equal([]);
  await expectFreshIds(world);
}

/**
 * Each event follows from the ones before it: an update or destroy has a record, `previous` is what the record was, an update
 * changes each column it names, a create finds none. Folded here row by row, with nothing of the library.
 */
async function expectChains(world: World, when: string): Promise<void> {
  await world.sql(chains);
  const broken = await world.sql("select * from pg_temp.broken_chains() limit 5");
  expect(broken, `events that do not follow from those before them, ${when}`).to.deep.equal([]);
}

const chains = `
create or replace function pg_temp.broken_chains() returns table (place bigint, act text, name text, what text) language plpgsql as $$
declare
  event record;
  state jsonb;
begin
  create temporary table if not exists record_states (record text primary key, state jsonb);
  truncate record_states;
  for event in
    select e.position, e.action, e.entity, e.version, e.table_name || ' ' || e.record_key as record,
      e.data || coalesce(s.data, '{}') as data, e.previous || coalesce(s.previous, '{}') as previous
    from chronicle.event e left join chronicle.event_sensitive s using (position) order by e.position
  loop
    select r.state into state from record_states r where r.record = event.record;
    place := event.position; act := event.action; name := event.entity; what := null;
    if event.action = 'create' then
      if state is not null then what := 'there is a record already'; end if;
      if event.previous <> '{}' then what := 'a create with a past'; end if;
      state := event.data;
    elsif state is null then
      what := 'there is no record';
    elsif event.version < (select (t.versions ->> event.action)::integer from chronicle.tracked t where t.entity = event.entity)
      or (state ? 'label') then
      state := case event.action when 'update' then state || event.data end; -- the table had another shape
    elsif event.action = 'update' then
      if event.data = '{}' or (select array_agg(key order by key) from jsonb_object_keys(event.data) key)
        <> (select array_agg(key order by key) from jsonb_object_keys(event.previous) key) then what := 'columns do not match'; end if;
      if exists (select from jsonb_each(event.previous) p where p.value::text is distinct from (state -> p.key)::text) then what := 'previous is not what was'; end if;
      if exists (select from jsonb_each(event.data) d where d.value::text = (state -> d.key)::text) then what := 'a column that did not change'; end if;
      state := state || event.data;
    else
      if event.previous::text <> state::text then
        what := 'previous is not what was: ' || (select string_agg(format('%s %s, not %s', key, left(event.previous ->> key, 80), left(state ->> key, 80)), '; ')
          from jsonb_object_keys(event.previous || state) key where (event.previous -> key)::text is distinct from (state -> key)::text);
      end if;
      if event.data <> '{}' then what := 'a destroy with data'; end if;
      state := null;
    end if;
    if state is null then delete from record_states r where r.record = event.record;
    else insert into record_states values (event.record, state) on conflict (record) do update set state = excluded.state; end if;
    if what is not null then return next; end if;
  end loop;
end $$`;

/** An update of the date that a person was deleted on is named after what it does; no other is. */
async function expectSoftRemovesNamed(world: World): Promise<void> {
  const wrong = await world.sql(
    `select position, action_name from chronicle.event where entity = 'Person' and origin = 'capture' and action_name is distinct from case
       when action = 'update' and data ? 'deletedAt' and previous -> 'deletedAt' = 'null' then 'soft-remove'
       when action = 'update' and data -> 'deletedAt' = 'null' then 'recover' end limit 5`,
  );
  expect(wrong, "soft-removes and recoveries by name").to.deep.equal([]);
}

/** No event of work that was taken back, and on every other the context that it was made in. */
async function expectMarks(world: World, works: readonly Work[]): Promise<void> {
  const marks = works.map(({ mark, takenBack, who }) => ({
    mark,
    taken_back: takenBack,
    ...who,
    metadata: { ...who.metadata, mark },
  }));
  const wrong = await world.sql(
    `select e.position, e.entity, e.action, e.action_name, w.mark,
       case when w.taken_back then 'of work that was taken back' when w.mark is null then 'without its context' else 'of another context' end as what
     from chronicle.event e
     left join jsonb_to_recordset($1::jsonb) as w (mark integer, taken_back boolean, actor jsonb, tenant text, metadata jsonb)
       on w.mark = (e.metadata ->> 'mark')::integer
     where e.origin <> 'rewind' and (
       w.mark is null or w.taken_back or e.metadata is distinct from w.metadata or e.tenant is distinct from w.tenant
       or (e.actor_type, e.actor_id, e.actor_name) is distinct from (w.actor ->> 'type', w.actor ->> 'id', w.actor ->> 'name'))
     order by e.position limit 5`,
    [JSON.stringify(marks)],
  );
  expect(JSON.stringify(wrong), "events with the wrong mark").to.equal("[]");
}

/** Rows that are made after a replay get ids of their own. */
async function expectFreshIds({ dataSource: { manager } }: World): Promise<void> {
  await manager.save(Person, { name: "fresh", address: {} });
  await manager.save(Car, { name: "fresh" });
  await manager.save(Category, { name: "fresh" });
  await manager.save(Invoice, { title: "fresh" });
  await manager.save(InvoiceLine, { amount: "1" });
}
