import { expect } from "chai";
import { ChildEntity, Column, Entity, ManyToOne, PrimaryColumn, type Relation, TableInheritance } from "typeorm";
import { type Override, override, Tracked, withRequestContext } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { expectEqual, proveReplay, rejectionOf } from "./application.js";
import { upgradedApplication } from "./upgrade.js";

@Entity({ name: "wallet" })
@Tracked({ name: "Wallet" })
class OldWallet {
  @PrimaryColumn("integer") id!: number;
  @Column("text") owner!: string;
  @Column("bigint") cents!: string;
}

@Entity({ name: "note" })
@Tracked({ name: "Note" })
class OldNote {
  @PrimaryColumn("integer") id!: number;
  @Column("text") text!: string;
}

@Entity({ name: "vehicle" })
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked({ name: "Vehicle" })
class OldVehicle {
  @PrimaryColumn("integer") id!: number;
  @Column("text") name!: string;
}
@ChildEntity("Car")
@Tracked({ name: "Car" })
class OldCar extends OldVehicle {}

/** What a wallet became: an owner, counted, and an account per wallet. */
@Entity()
@Tracked()
class Owner {
  @PrimaryColumn("text") name!: string;
  @Column("integer") accounts!: number;
  @Column("jsonb", { nullable: true }) last!: object | null;
}

@Entity()
@Tracked()
class Account {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Owner, { nullable: false }) owner!: Relation<Owner>;
  @Column("bigint") cents!: string;
  @Column("boolean", { default: false }) closed!: boolean;
}

@Entity()
@Tracked({ version: 2 })
class Note {
  @PrimaryColumn("integer") id!: number;
  @Column("text") text!: string;
}

@Entity()
@TableInheritance({ column: { type: "text", name: "kind" } })
@Tracked({ version: 1 })
class Vehicle {
  @PrimaryColumn("integer") id!: number;
  @Column("text") name!: string;
}
@ChildEntity()
@Tracked({ version: { create: 2 } })
class Car extends Vehicle {}

interface WalletRow {
  id: number;
  owner: string;
  cents: string;
}

const openAccount = override<WalletRow>("Wallet", "create", { versions: [1] }, async ({ data }, state) => {
  const name = data.owner;
  const owner = await state.find<{ accounts: number; last: object }>(Owner, name);
  if (owner === null) await state.create(Owner, { name, accounts: 1, last: { wallet: data.id } });
  else
    await state.update(Owner, name, {
      accounts: owner.accounts + 1,
      last: { ...owner.last, wallet: data.id },
    });
  await state.create(Account, { id: data.id, ownerName: name, cents: data.cents, closed: false });
});

const overrides: Override[] = [
  openAccount,
  override<WalletRow>("Wallet", "update", { versions: [1] }, async ({ data, recordId }, state) => {
    if (data.cents !== undefined) await state.update(Account, String(recordId.id), { cents: data.cents });
  }),
  override("Wallet", "update", { versions: [1], actionName: "wallet.close" }, async ({ recordId }, state) => {
    await state.update("Account", { id: recordId.id }, { closed: true });
  }),
  override("Wallet", "destroy", { versions: [1] }, async ({ recordId, previous }, state) => {
    const name = String(previous.owner);
    const owner = await state.find(Owner, { name });
    await state.destroy(Account, recordId);
    if (owner?.accounts === 1) await state.destroy(Owner, name);
    else await state.update(Owner, name, { accounts: Number(owner?.accounts) - 1 });
  }),
  // Notes that begin with a hash are no notes any more: what followed for them is skipped.
  override<{ id: number; text: string }>("Note", "create", { versions: [1] }, async ({ data }, state) => {
    if (!data.text.startsWith("#")) await state.create(Note, data);
  }),
  override("Note", "update", { versions: [1], actionName: "note.merge" }, async ({ recordId }, state) => {
    await state.destroy(Note, recordId);
  }),
  override("Car", "create", { versions: [1] }, async ({ data }, state) => {
    if (data.name !== "scrap") await state.create(Car, data);
  }),
];

/** An update of a note of version 1 is read as it is, but for the name that an override takes. */
const noteUpdates = override("Note", "update", { versions: [1] }, async ({ recordId, data }, state) => {
  if ((await state.find(Note, recordId)) !== null) await state.update(Note, recordId, data);
});

const now = { entities: [Owner, Account, Note, Vehicle, Car], replay: { overrides: [...overrides, noteUpdates] } };

describe("overrides", function () {
  this.timeout(60_000);
  const app = upgradedApplication(
    { entities: [OldWallet, OldNote, OldVehicle, OldCar] },
    {
      write: async ({ dataSource }) => {
        const wallets = dataSource.getRepository(OldWallet);
        const notes = dataSource.getRepository(OldNote);
        await wallets.insert([
          { id: 1, owner: "ada", cents: "9007199254740993" },
          { id: 2, owner: "ada", cents: "5" },
          { id: 3, owner: "bob", cents: "0" },
        ]);
        await wallets.increment({ id: 2 }, "cents", 10);
        await withRequestContext({ actionName: "wallet.close" }, () => wallets.update({ id: 1 }, { cents: "7" }));
        await wallets.delete({ id: 3 });
        await notes.insert([
          { id: 1, text: "kept" },
          { id: 2, text: "#tag" },
          { id: 3, text: "merged" },
        ]);
        await notes.update(1, { text: "kept and changed" });
        await notes.update(2, { text: "#changed" });
        await notes.delete(2);
        await notes.insert({ id: 2, text: "a new life" });
        await withRequestContext({ actionName: "note.merge" }, () => notes.update(3, { text: "into 1" }));
        await dataSource.getRepository(OldCar).insert([
          { id: 1, name: "Beetle" },
          { id: 2, name: "scrap" },
        ]);
        await dataSource.getRepository(OldVehicle).update(2, { name: "still scrap" });
        await dataSource.getRepository(OldVehicle).delete(2);
      },
      migrate: `drop table wallet;
        create table owner (name text primary key, accounts integer not null, last jsonb);
        create table account (id integer primary key, "ownerName" text not null references owner, cents bigint not null, closed boolean not null default false);`,
      now,
    },
  );
  const rows = () =>
    app.sql(`select (select jsonb_agg(to_jsonb(o) order by name) from owner o) as owners, (select jsonb_agg(to_jsonb(a) order by id) from account a) as accounts,
      (select jsonb_agg(to_jsonb(n) order by id) from note n) as notes, (select jsonb_agg(name order by id) from vehicle) as vehicles`);

  it("write any number of records of other entities, read them as of their event, and retire what they do not create", async () => {
    const report = await app.log.replay(undefined, { unknownRows: "delete" });
    expect(report).to.include({ overridden: 15, upcast: 0 });
    expect(report.skipped, "an update and two destroys of records that an override did not create").to.equal(3);
    expect(await rows()).to.deep.equal([
      {
        owners: [{ name: "ada", accounts: 2, last: { wallet: 2 } }],
        accounts: [
          { id: 1, ownerName: "ada", cents: 9007199254740992, closed: true },
          { id: 2, ownerName: "ada", cents: 15, closed: false },
        ],
        notes: [
          { id: 1, text: "kept and changed" },
          { id: 2, text: "a new life" },
        ],
        vehicles: ["Beetle"],
      },
    ]);
    expect(await app.sql("select cents::text from account where id = 1")).to.deep.equal([
      { cents: "9007199254740993" },
    ]);
    await expectEqual(app, "after overrides");
  });

  it("name the class that is gone in the plan, and how each kind is handled", async () => {
    const { plan } = await app.log.replay(undefined, { dryRun: true });
    const wallets = plan.filter(({ entity }) => entity === "Wallet");
    expect(
      wallets.map(({ action, actionName, events, handler }) => [action, actionName, events, handler]),
    ).to.have.deep.members([
      ["create", null, 3, "override"],
      ["update", null, 1, "override"],
      ["update", "wallet.close", 1, "override"],
      ["destroy", null, 1, "override"],
    ]);
    expect(plan.filter(({ entity, action }) => entity === "Note" && action === "destroy")).to.have.nested.property(
      "[0].handler",
      "direct",
    );
  });

  it("give the same rows for every moment, beside new events", async () => {
    const accounts = app.dataSource.getRepository(Account);
    await proveReplay(app, [
      () => accounts.insert({ id: 9, owner: { name: "ada" }, cents: "1" }),
      () => accounts.update(1, { closed: false }),
      () => app.dataSource.getRepository(Note).delete(1),
      () => accounts.delete(2),
    ]);
  });

  it("are told what they did wrong: an unknown column, a table that is not tracked, a write that was not awaited", async () => {
    const wrong = async (handler: Override["handler"]) => {
      const { log } = await app.open({
        ...now,
        replay: {
          overrides: [override("Wallet", "create", { versions: [1] }, handler), ...now.replay.overrides.slice(1)],
        },
      });
      return rejectionOf(log.replay());
    };
    expect(await wrong((_, state) => state.create(Owner, { name: "x", acounts: 1 }))).to.include({
      code: "UNKNOWN_COLUMN",
    });
    expect(await wrong((_, state) => state.create("Nothing", { name: "x" }))).to.include({ code: "NOT_TRACKED" });
    expect(await wrong((_, state) => state.update(Owner, "nobody", { accounts: 1 }))).to.include({
      code: "REPLAY_RECORD_MISSING",
    });
    const forgotten = await wrong((_, state) => void state.create(Owner, { name: "x" }));
    expect(forgotten).to.include({ code: "REPLAY_OVERRIDE_FAILED" });
    expect(forgotten.message).to.include("it did not wait for its calls of state; await every one");
    const late = new Promise((resolve) => {
      void wrong((_, state) => {
        setTimeout(() => void state.create(Owner, { name: "x" }).catch(resolve), 50);
      });
    });
    expect(String(await late)).to.include("state was used after its override had ended; await every call");
  });
});

describe("an override that throws", function () {
  this.timeout(90_000);
  const ids = [1, 2, 3, 4, 5, 6];
  const app = upgradedApplication(
    { entities: [OldWallet] },
    {
      write: async ({ dataSource }) => {
        const wallets = dataSource.getRepository(OldWallet);
        await wallets.insert(ids.map((id) => ({ id, owner: id % 2 ? "ada" : "bob", cents: "1" })));
        for (const id of ids) await wallets.increment({ id }, "cents", id);
        for (const id of ids)
          await withRequestContext({ actionName: "wallet.close" }, () => wallets.update(id, { cents: "0" }));
        for (const id of [5, 6]) await wallets.delete(id);
      },
      migrate: `drop table wallet;
        create table owner (name text primary key, accounts integer not null, last jsonb);
        create table account (id integer primary key, "ownerName" text not null references owner, cents bigint not null, closed boolean not null default false);`,
      now: { entities: [Owner, Account], replay: { overrides: overrides.slice(0, 4) } },
    },
  );

  it("leaves live as it was, row for row, at each of 20 positions, and is named with its position", async () => {
    await app.log.replay();
    await app.spoil(
      "update account set cents = 99 where id = 1",
      "delete from account where id = 2",
      "insert into owner values ('eve', 0)",
    );
    const [rows, end] = [await app.rows(), await app.position()];
    const positions = (await app.events()).map(({ position }) => position);
    expect(positions).to.have.length(20);
    for (const failing of positions) {
      const breaking = overrides.slice(0, 4).map(({ entity, action, versions, actionName, handler }) =>
        override(entity, action, { versions, actionName }, async (event, state) => {
          await handler(event, state);
          if (event.position === failing) throw new Error("on purpose");
        }),
      );
      const { log, dataSource } = await app.open({ entities: [Owner, Account], replay: { overrides: breaking } });
      const error = await rejectionOf(log.replay(undefined, { unknownRows: "delete" }));
      await dataSource.destroy();
      expect(error).to.include({ code: "REPLAY_OVERRIDE_FAILED" });
      expect(error.message).to.include(`threw at position ${failing}: on purpose`);
      expectSameRows(await app.rows(), rows, `rows after it threw at ${failing}`);
      expect(await app.position()).to.equal(end);
    }
    const { rows: written } = await app.log.replay(undefined, { unknownRows: "delete" });
    expect(written, "what those replays would have written").to.include({ inserted: 1, updated: 1, deleted: 1 });
    await expectEqual(app, "without the error");
  });
});
