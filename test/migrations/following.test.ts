import { expect } from "chai";
import { Column, type ColumnOptions, Entity, PrimaryColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application } from "../replay/application.js";

function ticket(columns: Readonly<Record<string, ColumnOptions>>): new () => object {
  class Ticket {}
  PrimaryColumn("integer")(Ticket.prototype, "id");
  for (const [name, options] of Object.entries(columns)) Column({ nullable: true, ...options })(Ticket.prototype, name);
  Entity({ name: "ticket" })(Ticket);
  Tracked({ name: "Ticket" })(Ticket);
  return Ticket;
}

const text: ColumnOptions = { type: "text" };
const state = (...labels: string[]): ColumnOptions => ({ type: "enum", enum: labels, enumName: "state" });

describe("a log over three releases", () => {
  const app = new Application({
    entities: [ticket({ title: text, size: text, status: state("new", "done"), a: text, b: text })],
  });
  before(() => app.start());
  after(() => app.stop());

  async function release(columns: Readonly<Record<string, ColumnOptions>>, ...ddl: string[]): Promise<void> {
    for (const statement of ddl) await app.sql(statement);
    const opened = await app.open({ entities: [ticket(columns)] });
    await opened.log.install();
    await app.dataSource.destroy();
    Object.assign(app, opened);
  }

  async function past(bookmark: string): Promise<unknown[]> {
    const { manager, schema, drop } = await app.log.shadow({ bookmark });
    const rows: { row: object }[] = await manager.query(
      `select to_jsonb(t) as row from "${schema}".ticket t order by id`,
    );
    await drop();
    return rows.map(({ row }) => row);
  }

  it("keeps tables, log and past equal through renames, swaps, fills, labels and types", async () => {
    await app.sql(
      "insert into ticket values (1, 'one', '10 cm', 'new', 'A', 'B'), (2, 'two', '20 cm', 'done', 'C', 'D')",
    );
    await app.log.bookmark("release 1");
    await app.log.partition();
    await release(
      {
        label: text,
        size: { type: "integer" },
        status: state("open", "done"),
        a: text,
        b: text,
        plan: { ...text, default: "free" },
      },
      "alter table ticket rename title to label",
      "alter table ticket alter column size type integer using split_part(size, ' ', 1)::integer",
      "alter type state rename value 'new' to 'open'",
      "alter table ticket rename a to x; alter table ticket rename b to a; alter table ticket rename x to b",
      "alter table ticket add column plan text default 'free'",
    );
    await app.sql("insert into ticket (id, label, status, plan) values (3, 'three', 'open', 'gold')");
    await app.sql("update ticket set plan = null, a = 'B!' where id = 1");
    await app.log.bookmark("release 2");
    await release(
      { name: text, status: state("open", "done"), a: text, plan: { ...text, default: "free" } },
      "alter table ticket rename label to name",
      "alter table ticket drop column size, drop column b",
    );
    const live = await app.rows();
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.deep.equal({ inserted: 0, updated: 0, deleted: 0, kept: 3 });
    expectSameRows(await app.rows(), live);
    expect(await past("release 1")).to.deep.equal([
      { id: 1, name: "one", status: "open", a: "B", plan: "free" },
      { id: 2, name: "two", status: "done", a: "D", plan: "free" },
    ]);
    expect(await past("release 2")).to.deep.equal([
      { id: 1, name: "one", status: "open", a: "B!", plan: null },
      { id: 2, name: "two", status: "done", a: "D", plan: "free" },
      { id: 3, name: "three", status: "open", a: null, plan: "gold" },
    ]);
  });

  it("says what it followed, and records what an expression made of values", async () => {
    const { schemaChanges } = await app.log.status();
    expect(schemaChanges.map(({ renamed, added, dropped }) => [renamed.length, added, dropped])).to.deep.equal([
      [3, ["plan"], []],
      [1, [], ["size", "b"]],
    ]);
    const recorded = await app.events({ origin: "migration" });
    expect(recorded.map(({ data, previous }) => [data, previous])).to.deep.equal([
      [{ size: 10 }, { size: "10 cm" }],
      [{ size: 20 }, { size: "20 cm" }],
    ]);
  });

  it("drops its oldest events behind a baseline that is read in its own shape", async () => {
    const before = await past("release 2");
    await app.log.partition();
    await app.sql("update ticket set name = name || '.'");
    const { records } = await app.log.retain({ since: new Date(Date.now() + 1) });
    expect(records).to.equal(3);
    await release(
      { title: text, status: state("open", "done"), a: text, plan: { ...text, default: "free" } },
      "alter table ticket rename name to title",
    );
    expect(await app.log.verify()).to.include({ equal: true });
    await app.wipe();
    await app.log.replay();
    expect(await app.sql("select id, title, status, a, plan from ticket order by id")).to.deep.equal(
      before.map((row) => {
        const { name, ...rest } = row as { name: string };
        return { title: `${name}.`, ...rest };
      }),
    );
  });

  it("makes the log what the tables say, and counts first", async () => {
    await app.spoil(
      "update ticket set a = 'spoilt' where id = 1",
      "delete from ticket where id = 2",
      "insert into ticket (id, title) values (9, 'nine')",
    );
    const wanted = { created: 1, updated: 1, destroyed: 1 };
    expect(await app.log.reconcile({ dryRun: true })).to.deep.equal(wanted);
    expect((await app.log.verify()).counts).to.deep.equal({ unexpected: 1, different: 1, missing: 1, erased: 0 });
    expect(await app.log.reconcile()).to.deep.equal(wanted);
    expect(await app.log.verify()).to.include({ equal: true });
    expect(await app.log.reconcile()).to.deep.equal({ created: 0, updated: 0, destroyed: 0 });
    expect(
      (await app.events({ origin: "reconcile" })).map(({ action, recordId }) => [action, recordId["id"]]),
    ).to.deep.equal([
      ["update", 1],
      ["create", 9],
      ["destroy", 2],
    ]);
  });

  it("repairs a record whose events cannot be in their order, from that point on", async () => {
    await app.sql(`insert into chronicle.event (table_name, entity, record_id, record_key, action, version, data, previous)
      select 'public.ticket', 'Ticket', jsonb_build_object('id', id), id::text, 'update', 1, '{"a": "late"}', '{}' from unnest(array[2, 77]) id`);
    expect(await app.log.verify().catch((error: { code: string }) => error.code)).to.equal("REPLAY_RECORD_MISSING");
    await app.sql(
      "alter table ticket disable trigger user; insert into ticket (id, title) values (77, 'found'); alter table ticket enable trigger user",
    );
    expect(await app.log.reconcile()).to.deep.equal({ created: 1, updated: 0, destroyed: 1 });
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
  });
});
