import { expect } from "chai";
import { expectSameRows } from "../live-rows.js";
import { Application, rejectionOf } from "../replay/application.js";
import { entityOf } from "./entity-of.js";
import { text } from "./kind.js";

const keyOf = (type: "integer" | "text") => entityOf({ key: { id: { type } }, columns: { name: text } }, "item");

describe("a migration of the primary key's values, and writes before the install", () => {
  let app: Application;
  beforeEach(async () => {
    app = new Application({ entities: [keyOf("integer")] });
    await app.start();
    await app.sql("insert into item values (1, 'one'), (2, 'two'), (3, 'three')");
    await app.log.bookmark("before");
  });
  afterEach(() => app.stop());

  async function release(): Promise<void> {
    const opened = await app.open({ entities: [keyOf("text")] });
    await opened.log.install();
    await app.dataSource.destroy();
    Object.assign(app, opened);
  }

  async function expectFollowed(): Promise<void> {
    const rows = await app.rows();
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
    expectSameRows(await app.rows(), rows);
  }

  async function ids(bookmark: string): Promise<unknown[]> {
    const { manager, schema, drop } = await app.log.shadow({ bookmark });
    const rows: { id: string }[] = await manager.query(`select id from "${schema}".item order by id`);
    await drop();
    return rows.map(({ id }) => id);
  }

  it("is followed, and points between the two are refused, because nobody knows which record became which", async () => {
    await app.sql("alter table item alter column id type text using 'item-' || id");
    await app.sql("update item set name = 'changed' where id = 'item-1'; delete from item where id = 'item-2'");
    await app.log.bookmark("between");
    await release();
    await app.log.bookmark("after");
    await expectFollowed();
    expect(await ids("before")).to.deep.equal(["1", "2", "3"]);
    expect(await ids("after")).to.deep.equal(["item-1", "item-3"]);
    for (const call of [
      () => app.log.shadow({ bookmark: "between" }),
      () => app.log.replay({ bookmark: "between" }),
      () => app.log.at(app.dataSource.entityMetadatas[0]?.target as typeof Object, "item-1", { bookmark: "between" }),
    ]) {
      const error = await rejectionOf(call());
      expect(error).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
      expect(error.message).to.include("gave the records of item other keys");
    }
  });

  it("is followed if every row that is left was written since", async () => {
    await app.sql("alter table item alter column id type text using 'item-' || id");
    await app.sql("delete from item where id <> 'item-1'; update item set name = 'changed'");
    await app.sql("insert into item values ('item-9', 'nine')");
    await release();
    await expectFollowed();
  });

  it("is followed if every key went to another row", async () => {
    await app.sql("update item set name = 'changed' where id = 2");
    await app.sql("alter table item alter column id type text using 4 - id");
    await release();
    await expectFollowed();
    expect(await ids("before")).to.deep.equal(["1", "2", "3"]);
  });

  it("costs no event if the keys have the same text", async () => {
    await app.sql("alter table item alter column id type text");
    await app.sql("update item set name = 'changed' where id = '1'; delete from item where id = '2'");
    await app.log.bookmark("between");
    await release();
    await expectFollowed();
    expect(await app.events({ origin: "migration" })).to.deep.equal([]);
    expect(await ids("between")).to.deep.equal(["1", "3"]);
  });
});

describe("labels of a key that swapped names, and writes before the install", () => {
  const released = (columns: object) =>
    entityOf({ key: { kind: { type: "enum", enum: ["a", "b"] } }, columns: { name: text, ...columns } }, "item");
  const app = new Application({ entities: [released({})] });
  before(() => app.start());
  after(() => app.stop());

  it("tell nothing of the record that had the label before", async () => {
    await app.sql("insert into item values ('a', 'one'), ('b', 'two')");
    await app.log.bookmark("before");
    await app.sql("alter table item add column more text");
    await app.sql("vacuum full item"); // from here on the catalog does not tell what the rows were given
    await app.sql("update item set more = 'of two' where kind = 'b'");
    const { log } = await app.open({ entities: [released({ more: text })] });
    await log.install();
    await app.sql(`alter type item_kind_enum rename value 'a' to 't'`);
    await app.sql(`alter type item_kind_enum rename value 'b' to 'a'`);
    await app.sql(`alter type item_kind_enum rename value 't' to 'b'`);
    await app.sql("delete from item where kind = 'a'");
    await log.install();
    const { manager, schema, drop } = await log.shadow({ bookmark: "before" });
    const rows = await manager.query(`select * from "${schema}".item order by name`);
    await drop();
    expect(rows).to.deep.equal([
      { kind: "b", name: "one", more: null },
      { kind: "a", name: "two", more: null },
    ]);
  });
});

describe("a partition that came since the last install", () => {
  const app = new Application({
    entities: [keyOf("integer")],
    dataSource: { synchronize: false },
    before: `create table item (id integer primary key, name text) partition by range (id);
      create table item_0 partition of item for values from (0) to (100)`,
  });
  before(() => app.start());
  after(() => app.stop());

  it("brings its rows, also if some of them were deleted or changed before the install", async () => {
    await app.sql("insert into item values (1, 'one')");
    await app.sql(`create table item_100 (id integer primary key, name text);
      insert into item_100 values (101, 'changed later'), (102, 'deleted'), (103, 'stays');
      create table item_200 (id integer primary key, name text);
      insert into item_200 values (201, 'deleted');
      alter table item attach partition item_100 for values from (100) to (200);
      alter table item attach partition item_200 for values from (200) to (300)`);
    await app.sql("update item set name = 'changed' where id = 101; delete from item where id in (102, 201)");
    await app.log.install();
    const rows = await app.rows();
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
    expectSameRows(await app.rows(), rows);
    expect((await app.events({ origin: "migration" })).map(({ recordId }) => recordId["id"])).to.have.members([
      101, 103,
    ]);
  });
});
