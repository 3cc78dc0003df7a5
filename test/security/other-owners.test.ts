import { expect } from "chai";
import type { DataSource } from "typeorm";
import { eventLog, type EventLog } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { entities, idOf, keys, naive, recorded, rowOf, types, type Values } from "./others.js";
import { eventsOf, refusing, Stage } from "./others-stage.js";

/** As an entity has it: of a domain, what the domain is made of. */
const typed = (row: Values): Values => ({ ...row, code: Number(row["code"]) });
const withoutId = (row: Values): Values => Object.fromEntries(Object.entries(row).filter(([name]) => name !== "id"));

describe("types of an owner who is accepted", function () {
  this.timeout(120_000);

  it("have casts, checks and operators that a naive statement runs", () =>
    Stage.set("trigger", async (stage) => {
      for (const [double, call] of Object.entries(naive))
        expect(await stage.naively("owner", `select ${call}`), call).to.include(
          `${double} as ${stage.world.roles.owner}, and did: reset role, and did: set session authorization default`,
        );
    }));

  for (const capture of ["trigger", "subscriber"] as const)
    it(`are captured without any of it running as the log's owner: ${capture} capture`, () =>
      Stage.set(capture, async (stage) => {
        const { attacker: acceptOwners, application: grantTo } = stage.world.roles;
        const log = eventLog(await stage.open("owner"));
        const refused = await rejectionOf(log.install({ grantTo }));
        expect(refused).to.include({ code: "NOT_OWNER" });
        expect(refused.message).to.include(`The type theirs.mood belongs to ${acceptOwners}`);
        await log.install({ grantTo, acceptOwners });
        expect(await log.install({ grantTo, acceptOwners })).to.include({ changed: false });
        const application = await stage.open("application");
        for (const [name, { values }] of Object.entries(keys)) {
          const things = application.getRepository(entities[name]!);
          const [first, second] = values;
          await things.save(rowOf(first, 0));
          await things.save(rowOf(second, 0));
          await things.save(rowOf(second, 1));
          await application.transaction("REPEATABLE READ", async (manager) => {
            await manager.query("select");
            await manager.getRepository(entities[name]!).save({ id: first, label: "renamed" });
          });
          await things.remove((await things.findBy({ id: second }))[0]!);
          await things.save({ id: second });
          const id = (value: string | number) => idOf(name, value);
          const changed = withoutId(recorded(second, 1, name));
          const empty = Object.fromEntries(Object.keys(changed).map((column) => [column, null]));
          expect(await eventsOf(log, entities[name]), name).to.deep.equal([
            { action: "create", recordId: id(first), data: recorded(first, 0, name), previous: {} },
            { action: "create", recordId: id(second), data: recorded(second, 0, name), previous: {} },
            { action: "update", recordId: id(second), data: changed, previous: withoutId(recorded(second, 0, name)) },
            { action: "update", recordId: id(first), data: { label: "renamed" }, previous: { label: "new" } },
            { action: "destroy", recordId: id(second), data: {}, previous: recorded(second, 1, name) },
            { action: "create", recordId: id(second), data: { ...id(second), ...empty }, previous: {} },
          ]);
          expect((await log.history(entities[name]!, first)).map(({ action }) => action)).to.deep.equal([
            "create",
            "update",
          ]);
        }
        for (const [name, { values }] of Object.entries(keys)) {
          const [first, second] = values;
          const [one, other] = await log.at(entities[name]!, [first, second], new Date(), { sensitive: true });
          expect(one).to.deep.equal({ ...typed(recorded(first, 0)), id: first, label: "renamed" });
          expect(other).to.include({ id: second, label: null, mood: null });
          const made = (await log.history(entities[name]!, second))[0]!;
          expect(
            await log.changes(entities[name]!, second, { from: made.position, to: made.position + 1n }),
          ).to.deep.equal(
            Object.entries(withoutId(recorded(second, 1))).map(([column, after]) => ({
              column,
              before: recorded(second, 0)[column],
              after,
            })),
          );
        }
        expect(await log.verify()).to.include({ equal: true, checked: 8 });
        await stage.world.query(`set session_replication_role = replica;
          update shop.of_mood set pair = '(b,)', code = 7 where id = 'good'; delete from shop.of_email where id = 'Bob';
          insert into shop.of_code (id, span) values (20, '[good,good]')`);
        const { counts, differences } = await log.verify();
        expect(counts).to.deep.equal({ missing: 1, unexpected: 1, different: 1, erased: 0 });
        expect(differences.find(({ kind }) => kind === "different")?.columns).to.deep.equal(["pair", "code"]);
        await stage.world.query(`set session_replication_role = replica;
          update shop.of_mood set pair = '(a,1)', code = 1 where id = 'good'; delete from shop.of_code where id = 20;
          insert into shop.of_email (id) values ('Bob')`);
        if (capture === "trigger") await bySql(log, application);
        await log.status();
        expect(await stage.searched()).to.deep.equal([]);
        expect(stage.ran).to.deep.equal([]);
      }));

  const levels: Readonly<Record<string, string>> = {
    "at row level": `create function shop.nothing() returns trigger language plpgsql as 'begin return null; end';
      create trigger nothing after insert or update or delete on shop.of_integer
        for each row execute function shop.nothing()`,
    "row by row, in partitions": `alter table shop.of_integer rename to part;
      create table shop.of_integer (like shop.part) partition by list (id);
      alter table shop.of_integer add primary key (id);
      alter table shop.of_integer attach partition shop.part default;
      create function shop.nothing() returns trigger language plpgsql as 'begin return null; end';
      create trigger nothing after insert on shop.of_integer for each row execute function shop.nothing();
      grant all on shop.of_integer to public`,
  };
  for (const [name, prepare] of Object.entries(levels))
    it(`are captured without any of it running as the log's owner: ${name}`, () =>
      Stage.set("trigger", async (stage) => {
        await stage.as("owner", prepare);
        const { log, application } = await stage.installed();
        const things = application.getRepository(entities["integer"]!);
        await things.save(rowOf(1, 0));
        await things.save(rowOf(1, 1));
        await things.delete({ id: 1 });
        const events = await eventsOf(log, entities["integer"]);
        expect(events.map(({ data, previous }) => [data, previous])).to.deep.equal([
          [recorded(1, 0), {}],
          [withoutId(recorded(1, 1)), withoutId(recorded(1, 0))],
          [{}, recorded(1, 1)],
        ]);
        expect(stage.ran).to.deep.equal([]);
      }));

  for (const capture of ["trigger", "subscriber"] as const)
    it(`are captured so in columns that came since the last install, also to an older snapshot: ${capture} capture`, () =>
      Stage.set(capture, async (stage) => {
        const { log, application } = await stage.installed();
        const things = application.getRepository(entities["integer"]!);
        await things.save(rowOf(1, 0));
        await application.transaction("REPEATABLE READ", async (manager) => {
          await manager.query("select from pg_catalog.pg_class");
          await stage.as(
            "attacker",
            `create type theirs.late as enum ('one', 'two');
            create function theirs."late to json"(theirs.late) returns json language plpgsql as $$
              begin perform theirs.ran('late to json'); return '"cast"'; end $$;
            create cast (theirs.late as json) with function theirs."late to json"(theirs.late);
            create function theirs."late to text"(theirs.late) returns text language plpgsql as $$
              begin perform theirs.ran('late to text'); return 'cast'; end $$;
            create function theirs."text to late"(text) returns theirs.late language plpgsql as $$
              begin perform theirs.ran('text to late'); return null; end $$;
            create cast (text as theirs.late) with function theirs."text to late"(text);
            create cast (theirs.late as text) with function theirs."late to text"(theirs.late);
            alter type theirs.mood add value 'fair'`,
          );
          await stage.as("owner", "alter table shop.of_integer add column late theirs.late default 'one'");
          await manager.getRepository(entities["integer"]!).save({ id: 1, label: "old snapshot" });
        });
        await things.save({ id: 1, label: "new snapshot" });
        await log.status();
        const later = await stage.world.query<{ data: Values }>(
          `select coalesce(s.data, '{}') || e.data as data
          from chronicle.event e left join chronicle.event_sensitive s on s.position = e.position
          where e.action = 'update' order by e.position`,
        );
        // Subscriber capture compares with the log, which has no such column yet.
        expect(later.map(({ data }) => data)).to.deep.equal([
          { label: "old snapshot" },
          { label: "new snapshot", ...(capture === "subscriber" && { late: "one" }) },
        ]);
        await stage.install(log);
        await stage.install(log);
        expect(stage.ran).to.deep.equal([]);
      }));

  for (const capture of ["trigger", "subscriber"] as const)
    it(`are not read, cast or written by anything else: ${capture} capture`, () =>
      Stage.set(capture, async (stage) => {
        const { log, application } = await stage.installed();
        await application.getRepository(entities["integer"]!).save(rowOf(1, 0));
        const { position } = await log.bookmark("then");
        await application.getRepository(entities["integer"]!).save(rowOf(1, 1));
        const before = (await stage.world.query("select from chronicle.event")).length;
        for (const [name, call] of Object.entries(refusing(entities["integer"]!, position))) {
          const error = await rejectionOf(call(log));
          expect(error, name).to.include({ code: "OTHER_OWNER" });
          expect(error.message, name).to.include(`The type theirs.mood belongs to ${stage.world.roles.attacker}`);
        }
        expect(await stage.world.query("select from chronicle.event")).to.have.length(before);
        expect(stage.ran).to.deep.equal([]);
      }));

  it("are read from events that were recorded while they were the log's owner's", () =>
    Stage.set(
      "trigger",
      async (stage) => {
        const { attacker, owner } = stage.world.roles;
        await stage.world.query(`reassign owned by ${attacker} to ${owner}`);
        const { log, application } = await stage.installed();
        for (const [name, { values }] of Object.entries(keys))
          await application.getRepository(entities[name]!).save(rowOf(values[0], 1));
        const before = await Promise.all(
          Object.entries(keys).map(([name, { values }]) => log.at(entities[name]!, values[0], new Date())),
        );
        for (const type of ["mood", "pair", "email", "code", "span"])
          await stage.world.query(
            `alter ${/email|code/.test(type) ? "domain" : "type"} theirs.${type} owner to ${attacker}`,
          );
        await stage.install(log);
        const after = await Promise.all(
          Object.entries(keys).map(([name, { values }]) => log.at(entities[name]!, values[0], new Date())),
        );
        expect(after).to.deep.equal(before);
        expect(await log.verify()).to.include({ equal: true, checked: 4 });
      },
      types.slice(0, 5).map((type) => type.replace(/ check .*/, "")),
    ));

  it("can be rebuilt with all that was recorded, once they belong to the log's owner", () =>
    Stage.set(
      "trigger",
      async (stage) => {
        const { log, application } = await stage.installed();
        for (const [name, { values }] of Object.entries(keys)) {
          await application.getRepository(entities[name]!).save(rowOf(values[0], 0));
          await application.getRepository(entities[name]!).save(rowOf(values[1], 0));
          await application.getRepository(entities[name]!).save(rowOf(values[1], 1));
        }
        await stage.world.query(`reassign owned by ${stage.world.roles.attacker} to ${stage.world.roles.owner}`);
        await log.install({ grantTo: stage.world.roles.application });
        expect(await log.verify()).to.include({ equal: true, checked: 8 });
        await application.getRepository(entities["code"]!).save({ id: 11, label: "since" });
        expect(await log.verify()).to.include({ equal: true });
        await stage.world.query("set session_replication_role = replica; update shop.of_email set pair = null");
        expect((await log.verify()).counts).to.include({ different: 2 });
        await log.replay();
        expect(await log.verify()).to.include({ equal: true });
      },
      types.slice(0, 5).map((type) => type.replace(/ check .*/, "")),
    ));
});

/** Writes of many rows at a time, and those that read the table. */
async function bySql(log: EventLog, application: DataSource): Promise<void> {
  for (const [name, { values }] of Object.entries(keys)) {
    const before = (await eventsOf(log, entities[name])).length;
    await application.query(`update shop.of_${name} set mood = 'bad', label = 'all'`);
    await application.query(`truncate shop.of_${name}`);
    const made = (await eventsOf(log, entities[name])).slice(before);
    expect(made.map(({ action }) => action)).to.deep.equal(["update", "update", "destroy", "destroy"]);
    expect(made[0]?.data).to.include({ label: "all" });
    expect(made.map(({ previous }) => previous)).to.deep.include({
      ...recorded(values[0], 0, name),
      mood: "bad",
      label: "all",
    });
  }
}
