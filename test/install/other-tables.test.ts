import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { eventLog, Tracked } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { query } from "../database.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity({ synchronize: false })
@Tracked()
class Item {
  @PrimaryColumn("integer") id!: number;
  @Column("text", { nullable: true }) name!: string | null;
}

@Entity({ synchronize: false })
@Tracked()
class Other {
  @PrimaryColumn("integer") id!: number;
  @Column("text", { nullable: true }) name!: string | null;
}

/** Under its new name, as the next release's code maps it. */
@Entity({ name: "thing", synchronize: false })
@Tracked({ name: "Item" })
class Thing {
  @PrimaryColumn("integer") id!: number;
  @Column("text", { nullable: true }) name!: string | null;
}

const columns = "(id integer primary key, name text)";
const plain = (table: string) => `create table ${table} ${columns};`;
const divided = (table: string) => `create table ${table} ${columns} partition by range (id);
  create table ${table}_a partition of ${table} for values from (0) to (10);
  create table ${table}_b partition of ${table} for values from (10) to (1000);`;
const swap = `create table item_new (like item including all);
  insert into item_new select * from item;
  alter table item rename to item_old;
  alter table item_new rename to item;`;

/** An application's own AFTER ROW trigger, for which capture comes at row level too. */
const idle = (
  table: string,
) => `create or replace function idle() returns trigger language plpgsql as 'begin return null; end';
  create trigger idle after insert or update or delete on ${table} for each row execute function idle();`;

describe("a table that is no part of a tracked one any more", function () {
  this.timeout(60_000);
  let app: TrackedApplication;
  afterEach(() => app?.stop());

  async function start(ddl: string, { capture = "trigger" }: { capture?: "trigger" | "subscriber" } = {}) {
    app = await TrackedApplication.start([Item, Other], {
      log: { capture },
      prepare: async ({ url }) => {
        await query(url, ddl);
      },
    });
  }
  const events = async () =>
    (await app.query("select entity, action, record_key from chronicle.event order by position")).map(
      ({ entity, action, record_key }) => `${entity} ${action} ${record_key}`,
    );
  const triggersOn = async (table: string) =>
    Number(
      await app.value(
        "select count(*) from pg_trigger where tgrelid = to_regclass($1) and tgname like ' chronicle %' and tgparentid = 0",
        [table],
      ),
    );
  const messages = async () => (await app.log.status()).findings.map(({ message }) => message).join("\n");
  /** Everything that a row of a table can meet. */
  const writeAllTo = async (table: string) => {
    await app.query(`insert into ${table} values (5, 'a'), (6, 'b')`);
    await app.query(`update ${table} set name = 'c' where id = 5`);
    await app.query(`update ${table} set name = 'd'`);
    await app.query(`delete from ${table} where id = 5`);
    await app.query(`truncate ${table}`);
  };
  /** The log is in order after one install, and the next has nothing to do. */
  const settles = async () => {
    expect((await app.log.install()).changed).to.equal(true);
    expect(await messages()).to.equal("");
    expect((await app.log.install()).changed).to.equal(false);
    expect((await app.log.verify()).equal).to.equal(true);
  };

  for (const level of ["statement", "row"] as const) {
    const atLevel = (table: string) => (level === "row" ? idle(table) : "");

    for (const how of ["", " concurrently"])
      it(`is a partition that was detached${how}: its writes are no events, at ${level} level`, async () => {
        await start(divided("item") + plain("other") + atLevel("item"));
        await app.query("insert into item values (1, 'one'), (11, 'eleven')");
        await app.query(`alter table item detach partition item_a${how}`);
        const before = await events();
        expect(before).to.deep.equal(["Item create 1", "Item create 11"]);
        await writeAllTo("item_a");
        expect(await events()).to.deep.equal(before);
        expect(await messages()).to.include("item_a");
        await app.query("insert into item values (12, 'twelve')");
        await app.query("update item_b set name = 'directly' where id = 12");
        expect((await events()).slice(2)).to.deep.equal(["Item create 12", "Item update 12"]);
        await settles();
        expect(await triggersOn("item_a")).to.equal(0);
      });

    it(`is a partition that was attached to another tracked table, at ${level} level`, async () => {
      await start(divided("item") + divided("other") + atLevel("item") + atLevel("other"));
      await app.query("insert into item values (1, 'one')");
      await app.query(`alter table item detach partition item_a; drop table other_a;
        alter table other attach partition item_a for values from (0) to (10)`);
      expect(await messages()).to.include("Partitions of Other (public.other) lack capture triggers: public.item_a.");
      await app.query("insert into other values (2, 'two')");
      expect((await events()).slice(1)).to.deep.equal(["Other create 2"]);
      await settles();
      const before = await events();
      await app.query("update item_a set name = 'directly'");
      expect((await events()).slice(before.length)).to.have.members(["Other update 1", "Other update 2"]);
    });

    it(`is one whose name another table has: neither it nor the other is recorded before an install, at ${level} level`, async () => {
      await start(plain("item") + plain("other") + atLevel("item"));
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query(swap);
      await writeAllTo("item_old");
      expect(await events()).to.deep.equal(["Item create 1"]);
      expect(await messages()).to.include(
        "The table public.item was renamed to public.item_old, and another one has its name",
      );
      expect(await rejectionOf(app.log.check())).to.include({ code: "INSTALL_STALE" });
      await settles();
      expect(await triggersOn("item_old")).to.equal(0);
      await app.manager.save(Item, { id: 2, name: "two" });
      await app.query("update item set name = 'new' where id = 1; update item_old set name = 'old'");
      expect(await events()).to.deep.equal(["Item create 1", "Item create 2", "Item update 1"]);
    });

    it(`is not one that was only renamed, or has a view in its place, at ${level} level`, async () => {
      await start(divided("item") + plain("other") + atLevel("item"));
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query("alter table item rename to thing");
      await app.query("create view item as select * from thing");
      await app.manager.save(Item, { id: 2, name: "two" });
      await app.query("update item_a set name = 'directly' where id = 1");
      await app.query(
        "create schema archive; alter table thing set schema archive; update archive.thing set name = 'moved' where id = 2",
      );
      expect(await events()).to.deep.equal(["Item create 1", "Item create 2", "Item update 1", "Item update 2"]);
    });

    it(`is one of another schema, once its old name is taken there, at ${level} level`, async () => {
      await start(plain("item") + plain("other") + atLevel("item"));
      await app.query("create schema archive; alter table item set schema archive");
      await app.query("insert into archive.item values (1, 'one')");
      await app.query(`create table public.item ${columns}`);
      await writeAllTo("archive.item");
      expect(await events()).to.deep.equal(["Item create 1"]);
      await app.log.install();
      expect(await triggersOn("archive.item")).to.equal(0);
    });

    it(`loses its triggers by uninstall, at ${level} level`, async () => {
      await start(divided("item") + plain("other") + atLevel("item"));
      await app.query("alter table item detach partition item_a");
      await app.log.uninstall();
      expect(await triggersOn("item_a")).to.equal(0);
      await writeAllTo("item_a");
    });
  }

  it("is refused where it has the name of another tracked table", async () => {
    await start(plain("item") + plain("other"));
    await app.query(
      "alter table item rename to passing; alter table other rename to item; alter table passing rename to other",
    );
    for (const table of ["item", "other"]) {
      const error = await rejectionOf(app.query(`insert into ${table} values (1, 'one')`));
      expect(error.message).to.include("has the name of another tracked table");
    }
    const error = await rejectionOf(app.manager.save(Item, { id: 1, name: "one" }));
    expect(error).to.include({ code: "INSTALL_STALE" });
    expect(await events()).to.deep.equal([]);
  });

  describe("whose place another one takes while a process runs", () => {
    it("makes the next transaction fail at its commit, and the next write fail before it", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query(swap);
      const error = await rejectionOf(app.manager.save(Item, { id: 2, name: "two" }));
      expect(error).to.include({ code: "INSTALL_STALE" });
      expect(error.message).to.include("item is another one than at the last install");
      expect(await rejectionOf(app.manager.insert(Item, { id: 3 }))).to.include({ code: "INSTALL_STALE" });
      expect(await app.value("select count(*) from item")).to.equal("1");
      await app.log.install();
      await app.manager.save(Item, { id: 2, name: "two" });
      expect(await events()).to.deep.equal(["Item create 1", "Item create 2"]);
    });

    it("is asked for by any role that a transaction takes, without rights on the log", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.save(Item, { id: 1, name: "one" });
      const role = `tenant_${process.pid}_${Date.now()}`;
      await app.query(`create role ${role}; grant all on item to ${role}`);
      const asTenant = (id: number) =>
        app.dataSource.transaction(async (manager) => {
          await manager.query(`set local role ${role}`);
          await manager.save(Item, { id, name: "theirs" });
        });
      try {
        await asTenant(2);
        expect(await events()).to.deep.equal(["Item create 1", "Item create 2"]);
        await app.query(`${swap}; grant all on item to ${role}`);
        expect(await rejectionOf(asTenant(3))).to.include({ code: "INSTALL_STALE" });
      } finally {
        await app.query(`drop owned by ${role}; drop role ${role}`);
      }
    });

    it("makes it fail too if it was dropped and made again", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query(`drop table item; ${plain("item")}`);
      expect(await rejectionOf(app.manager.save(Item, { id: 2 }))).to.include({ code: "INSTALL_STALE" });
      await app.log.install();
      await app.manager.save(Item, { id: 2 });
      expect(await app.log.verify()).to.include({ equal: true });
    });

    it("disturbs no transaction where an install came first", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query(swap);
      const deploy = newDataSource(app.database.url, [Item, Other]);
      await deploy.initialize();
      await eventLog(deploy).install();
      await deploy.destroy();
      await app.manager.save(Item, { id: 2, name: "two" });
      expect(await events()).to.deep.equal(["Item create 1", "Item create 2"]);
    });

    it("is noticed within seconds by writes outside of a transaction", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.insert(Item, { id: 1, name: "one" });
      await app.query(swap);
      const { now } = performance;
      try {
        performance.now = () => now.call(performance) + 5_001;
        expect(await rejectionOf(app.manager.insert(Item, { id: 2 }))).to.include({ code: "INSTALL_STALE" });
      } finally {
        performance.now = now;
      }
    });

    it("does not make a migration fail that wrote to it and then made the other", async () => {
      await start(plain("item") + plain("other"));
      await app.manager.transaction(async (manager) => {
        await manager.insert(Item, { id: 1, name: "one" });
        await manager.query(swap);
      });
      expect(await events()).to.deep.equal(["Item create 1"]);
      await app.log.install();
      await app.manager.transaction(async (manager) => {
        await manager.insert(Item, { id: 2, name: "two" });
        await manager.query("drop table item");
      });
      expect((await events()).slice(1)).to.deep.equal(["Item create 2"]);
    });

    it("makes a flush of subscriber capture fail", async () => {
      await start(plain("item") + plain("other"), { capture: "subscriber" });
      await app.manager.save(Item, { id: 1, name: "one" });
      await app.query(swap);
      expect(await rejectionOf(app.manager.save(Item, { id: 2, name: "two" }))).to.include({ code: "INSTALL_STALE" });
      expect(await app.value("select count(*) from item")).to.equal("1");
      expect(await messages()).to.include("was renamed to public.item_old");
      await app.log.install();
      await app.manager.save(Item, { id: 2, name: "two" });
      expect(await events()).to.deep.equal(["Item create 1", "Item create 2"]);
    });
  });

  for (const capture of ["trigger", "subscriber"] as const)
    it(`is renamed, and the next release's code writes it before an install: recorded under ${capture} capture`, async () => {
      await start(plain("item") + plain("other"), { capture });
      await app.query("alter table item rename to thing");
      const next = await newDataSource(app.database.url, [Thing, Other], {}, { capture }).initialize();
      try {
        await next.manager.save(Thing, { id: 1, name: "one" });
        expect(await events()).to.deep.equal(["Item create 1"]);
        await app.query(plain("item"));
        const other = await newDataSource(app.database.url, [Thing, Other], {}, { capture }).initialize();
        const error = await rejectionOf(other.manager.save(Thing, { id: 2, name: "two" }));
        await other.destroy();
        expect(error).to.include({ code: "INSTALL_STALE" });
      } finally {
        await next.destroy();
      }
    });
});

describe("a tracked table that is part of another", () => {
  let app: TrackedApplication;
  afterEach(() => app?.stop());

  for (const [kind, ddl, insert] of [
    [
      "a partition",
      "create table whole (id integer primary key, name text) partition by range (id); create table item partition of whole for values from (0) to (100);",
      "insert into whole values (1, 'one'), (2, 'two')",
    ],
    [
      "an heir",
      "create table whole (id integer, name text); create table item (primary key (id)) inherits (whole);",
      "insert into item values (1, 'one'), (2, 'two')",
    ],
  ] as const)
    it(`has the events of what is written to that one, as ${kind}`, async () => {
      app = await TrackedApplication.start([Item], {
        prepare: async ({ url }) => {
          await query(url, ddl);
        },
      });
      await app.query(insert);
      await app.query("update whole set name = 'new' where id = 1; delete from whole where id = 2; truncate whole");
      const events = await app.query("select action, record_key from chronicle.event order by position");
      expect(events.map(({ action, record_key }) => `${action} ${record_key}`)).to.deep.equal([
        "create 1",
        "create 2",
        "update 1",
        "destroy 2",
        "destroy 1",
      ]);
    });
});
