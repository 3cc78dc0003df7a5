import { expect } from "chai";
import type { ColumnOptions } from "typeorm";
import { Application, rejectionOf } from "../replay/application.js";
import { entityOf } from "./entity-of.js";
import { text } from "./kind.js";

const itemWith = (columns: Record<string, ColumnOptions>) => entityOf({ columns: { name: text, ...columns } }, "item");

describe("a column that was added row by row and changed its type in the next release", () => {
  let app: Application;
  beforeEach(async () => {
    app = new Application({ entities: [itemWith({})] });
    await app.start();
  });
  afterEach(() => app.stop());

  async function release(columns: Record<string, ColumnOptions>): Promise<void> {
    const opened = await app.open({ entities: [itemWith(columns)] });
    await opened.log.install();
    await app.dataSource.destroy();
    Object.assign(app, opened);
  }

  for (const [what, between] of [
    ["stays", "select 1"],
    ["changed since", "update item set name = 'later'"],
    ["ended since", "delete from item"],
  ] as const)
    it(`has at a point before both what the second made of the first, if the record ${what}`, async () => {
      await app.sql("insert into item values (1, 'one')");
      await app.log.bookmark("before");
      await app.sql("alter table item add column d timestamptz default clock_timestamp()");
      await release({ d: { type: "timestamptz", nullable: true } });
      await app.sql("alter table item alter column d type timestamp using d at time zone 'Europe/Berlin'");
      const [live] = await app.sql<{ d: string }>("select d::text from item");
      await app.sql(between);
      await release({ d: { type: "timestamp", nullable: true } });
      const { manager, schema, drop } = await app.log.shadow({ bookmark: "before" });
      const past: unknown = await manager.query(`select d::text from "${schema}".item`);
      await drop();
      expect(past).to.deep.equal([live]);
    });

  it("is refused at a point before both, if the record's first value was replaced before the second", async () => {
    await app.sql("insert into item values (1, 'one'), (2, 'two')");
    await app.log.bookmark("before");
    await app.sql("alter table item add column d timestamptz default clock_timestamp()");
    await release({ d: { type: "timestamptz", nullable: true } });
    await app.sql("update item set d = now() - interval '1 day' where id = 1");
    await app.sql("alter table item alter column d type timestamp using d at time zone 'Europe/Berlin'");
    await release({ d: { type: "timestamp", nullable: true } });
    expect(await rejectionOf(app.log.shadow({ bookmark: "before" }))).to.include({ code: "VALUE_NOT_CASTABLE" });
  });
});

describe("a column whose type two releases changed by expressions", () => {
  it("has at a point before both what the second made of what the first made of it", async () => {
    const app = new Application({ entities: [itemWith({ n: { type: "integer", nullable: true } })] });
    await app.start();
    await app.sql("insert into item values (1, 'one', 5), (2, 'two', 1000)");
    await app.log.bookmark("before");
    for (const [type, using] of [
      ["text", "'n' || n"],
      ["integer", "length(n)"],
    ] as const) {
      await app.sql(`alter table item alter column n type ${type} using ${using}`);
      const opened = await app.open({ entities: [itemWith({ n: { type, nullable: true } })] });
      await opened.log.install();
      await app.dataSource.destroy();
      Object.assign(app, opened);
    }
    const { manager, schema, drop } = await app.log.shadow({ bookmark: "before" });
    const past: unknown = await manager.query(`select n from "${schema}".item order by id`);
    await drop();
    await app.stop();
    expect(past).to.deep.equal([{ n: 2 }, { n: 5 }]);
  });
});
