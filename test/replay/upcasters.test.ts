import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked, upcast } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { expectEqual, expectUntouched, proveReplay, rejectionOf } from "./application.js";
import { upgradedApplication } from "./upgrade.js";

@Entity({ name: "person" })
@Tracked({ name: "Person" })
class PersonV1 {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("integer", { nullable: true }) age!: number | null;
  @Column("text", { nullable: true }) @Sensitive() tax!: string | null;
}

@Entity({ name: "person" })
@Tracked({ name: "Person", version: { create: 4, update: 4 } })
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { name: "first_name" }) firstName!: string;
  @Column("text", { name: "last_name" }) lastName!: string;
  @Column("jsonb", { default: {} }) profile!: object;
  @Column("text", { nullable: true }) @Sensitive() tax!: string | null;
}

const split = ({ name, ...rest }: Record<string, unknown>) => {
  if (name === undefined) return rest;
  const [first = "", last = ""] = (name as string).split(" ");
  return { ...rest, first_name: first, last_name: last };
};
const profile = ({ age, ...rest }: Record<string, unknown>) =>
  age === undefined ? rest : { ...rest, profile: { age } };
const upper = (row: Record<string, unknown>) =>
  row.last_name === undefined ? row : { ...row, last_name: (row.last_name as string).toUpperCase() };

const seen: { from: number; row: Record<string, unknown> }[] = [];
const noted =
  (from: number, map: (row: Record<string, unknown>) => Record<string, unknown>) => (row: Record<string, unknown>) => {
    seen.push({ from, row });
    return map(row);
  };

const upcasters = (["create", "update"] as const).flatMap((action) => [
  upcast(Person, action, { from: 1 }, noted(1, split)),
  upcast("Person", action, { from: 2 }, noted(2, profile)),
  upcast(Person, action, { from: 3 }, noted(3, upper)),
]);

describe("upcasters", function () {
  this.timeout(30_000);
  const app = upgradedApplication(
    { entities: [PersonV1] },
    {
      write: async ({ dataSource }) => {
        const people = dataSource.getRepository(PersonV1);
        await people.save([
          { name: "Ada Lovelace", age: 36, tax: "T1" },
          { name: "Alan Turing", age: 41 },
          { name: "Gone Soon", age: 1 },
        ]);
        await people.update({ name: "Alan Turing" }, { age: 42, tax: "T2" });
        await people.update({ name: "Ada Lovelace" }, { name: "Ada King" });
        await people.delete({ name: "Gone Soon" });
      },
      migrate: `alter table person add first_name text, add last_name text, add profile jsonb not null default '{}';
        alter table person disable trigger user;
        update person set first_name = split_part(name, ' ', 1), last_name = upper(split_part(name, ' ', 2)), profile = jsonb_build_object('age', age);
        alter table person enable trigger user;
        alter table person alter first_name set not null, alter last_name set not null, drop name, drop age`,
      now: { entities: [Person], replay: { upcasters } },
    },
  );

  it("bring every event through a chain of versions to what the migration made of the rows", async () => {
    const rows = await app.rows();
    seen.length = 0;
    const { upcast: count, overridden, plan } = await app.log.replay();
    expect({ count, overridden }).to.deep.equal({ count: 5, overridden: 0 });
    expect(plan.map(({ action, version, handler, events }) => ({ action, version, handler, events }))).to.deep.equal([
      { action: "create", version: 1, handler: "upcast", events: 3 },
      { action: "destroy", version: 1, handler: "direct", events: 1 },
      { action: "update", version: 1, handler: "upcast", events: 2 },
    ]);
    expectUntouched(await app.log.replay());
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), rows);
    await expectEqual(app, "after the upgrade");
  });

  it("get the changed columns of an update, sensitive ones too, and are each called once per event", async () => {
    seen.length = 0;
    await app.log.replay();
    expect(seen.filter(({ from }) => from === 1).map(({ row }) => row)).to.deep.equal([
      { id: 1, name: "Ada Lovelace", age: 36, tax: "T1" },
      { id: 2, name: "Alan Turing", age: 41, tax: null },
      { id: 3, name: "Gone Soon", age: 1, tax: null },
      { age: 42, tax: "T2" },
      { name: "Ada King" },
    ]);
    expect(seen).to.have.length(15);
  });

  it("show a record's past in today's shape", async () => {
    const [, , first] = await app.events({ limit: 3 });
    const then = await app.log.at(Person, 1, first?.position ?? 0n);
    expect(then).to.deep.include({ firstName: "Ada", lastName: "LOVELACE", profile: { age: 36 } });
    expect(await app.log.changes(Person, 1, { from: first?.position ?? 0n })).to.deep.equal([
      { column: "last_name", before: "LOVELACE", after: "KING" },
    ]);
  });

  it("leave a log that goes on: new events beside old ones, replayed to any moment", async () => {
    const people = app.dataSource.getRepository(Person);
    await proveReplay(app, [
      () => people.save({ firstName: "Grace", lastName: "HOPPER", profile: { age: 85 } }),
      () => people.update({ id: 1 }, { profile: { age: 37 } }),
      () => people.delete({ id: 2 }),
    ]);
  });

  it("refuse a replay before anything is written, naming every kind of event that has no way", async () => {
    const { log } = await app.open({
      entities: [Person],
      replay: { upcasters: upcasters.filter(({ action, from }) => !(action === "update" && from === 2)) },
    });
    const rows = await app.rows();
    const error = await rejectionOf(log.replay());
    expect(error).to.include({ code: "REPLAY_VERSION_UNHANDLED" });
    expect(error.details).to.deep.equal({ unhandled: ["2 Person update of version 1 (today's: 4)"] });
    const bare = await rejectionOf((await app.open({ entities: [Person] })).log.verify());
    expect(bare.details).to.deep.equal({
      unhandled: ["3 Person create of version 1 (today's: 4)", "2 Person update of version 1 (today's: 4)"],
    });
    expectSameRows(await app.rows(), rows);
  });

  it("refuse a column that the table does not have, and name the event where one throws", async () => {
    const broken = async (map: (row: Record<string, unknown>) => Record<string, unknown>) => {
      const replaced = upcasters.map((one) =>
        one.from === 3 && one.action === "update" ? upcast(Person, "update", { from: 3 }, map) : one,
      );
      return rejectionOf((await app.open({ entities: [Person], replay: { upcasters: replaced } })).log.replay());
    };
    const rows = await app.rows();
    const unknown = await broken((row) => ({ ...row, nickname: "x" }));
    expect(unknown).to.include({ code: "UNKNOWN_COLUMN" });
    expect(unknown.message).to.include('"nickname" is no column of public.person');
    const thrown = await broken(() => {
      throw new RangeError("out of range");
    });
    expect(thrown).to.include({ code: "REPLAY_OVERRIDE_FAILED" });
    const [event] = await app.events({ action: "update", limit: 1 });
    expect(thrown.message).to.include(`from version 3 threw at position ${event?.position}: out of range`);
    expectSameRows(await app.rows(), rows);
  });
});
