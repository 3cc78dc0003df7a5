import { expect } from "chai";
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from "typeorm";
import { type Difference, Tracked } from "../../src/index.js";
import { application, expectEqual, rejectionOf } from "./application.js";

@Entity()
@Tracked({ exclude: ["seen"] })
class Item {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text", { nullable: true }) name!: string | null;
  @Column("numeric", { nullable: true }) price!: string | null;
  @Column("integer", { nullable: true }) seen!: number | null;
}

@Entity()
@Tracked()
class Pair {
  @PrimaryColumn("bigint") a!: string;
  @PrimaryColumn("text") b!: string;
  @Column("jsonb", { nullable: true }) data!: unknown;
}

const rows = 20_000;

describe("verify", () => {
  const app = application({ entities: [Item, Pair] });
  beforeEach(async function () {
    this.timeout(60_000);
    await app.sql(`insert into item (name, price) select 'item ' || n, n % 100 from generate_series(1, ${rows}) n`);
    await app.sql(`update item set price = price + 1 where id % 3 = 0; delete from item where id % 7 = 0`);
    await app.sql(`insert into pair select 9007199254740993 + n, 'x', '{"n": 1}' from generate_series(1, 1000) n`);
  });

  it("finds each kind of damage, and nothing else", async function () {
    this.timeout(60_000);
    await expectEqual(app, "before");
    await app.spoil(
      "update item set name = 'changed', price = null where id = 1",
      "update item set price = price + 0.01 where id = 2",
      "update item set price = '3.0' where id = 201", // the same number, another value
      "update item set seen = 7 where id = 4", // never recorded
      "delete from item where id = 5",
      "insert into item values (700001, 'added', 1)",
      'update pair set data = \'{"n": 1, "m": null}\' where a = 9007199254740994',
      "update pair set a = 1 where a = 9007199254740995",
    );
    const all: Difference[] = [];
    const report = await app.log.verify({ onDifference: (difference) => all.push(difference) });
    expect(report).to.include({ equal: false, effectivePosition: await app.position() });
    expect(report.counts).to.deep.equal({ missing: 2, unexpected: 2, different: 4, erased: 0 });
    expect(all).to.have.deep.members([
      { entity: "Item", recordId: { id: 1 }, kind: "different", columns: ["name", "price"] },
      { entity: "Item", recordId: { id: 2 }, kind: "different", columns: ["price"] },
      { entity: "Item", recordId: { id: 201 }, kind: "different", columns: ["price"] },
      { entity: "Item", recordId: { id: 5 }, kind: "missing", columns: [] },
      { entity: "Item", recordId: { id: 700001 }, kind: "unexpected", columns: [] },
      { entity: "Pair", recordId: { a: "9007199254740994", b: "x" }, kind: "different", columns: ["data"] },
      { entity: "Pair", recordId: { a: "9007199254740995", b: "x" }, kind: "missing", columns: [] },
      { entity: "Pair", recordId: { a: "1", b: "x" }, kind: "unexpected", columns: [] },
    ]);
    expect(report.differences).to.deep.equal(all);
    const [live] = await app.sql("select (select count(*) from item) + (select count(*) from pair) as rows");
    expect(report.checked).to.equal(Number(live?.rows));
    await app.log.replay(undefined, { unknownRows: "delete" });
    await expectEqual(app, "after a replay");
  });

  it("reports the first hundred and tells of all, when every row is damaged", async function () {
    this.timeout(60_000);
    await app.spoil("update item set name = null");
    let told = 0;
    const { counts, differences } = await app.log.verify({ onDifference: () => told++ });
    const [{ items } = { items: 0 }] = await app.sql("select count(*)::integer as items from item");
    expect(counts.different).to.equal(items);
    expect(told).to.equal(items);
    expect(differences).to.have.lengthOf(100);
  });

  it("compares what was committed at one moment, while writers go on", async function () {
    this.timeout(60_000);
    let stop = false;
    let writes = 0;
    const writing = (async () => {
      const writer = await app.connect();
      for (; !stop; writes++) {
        await writer.query("begin; update item set price = price + 1 where id = 1; delete from pair where b = 'y'");
        await writer.query(
          "insert into pair values (1, 'y', null); update item set price = price - 1 where id = 3; commit",
        );
      }
    })();
    for (let round = 0; round < 4; round++) await expectEqual(app, `round ${round}`);
    stop = true;
    await writing;
    expect(writes).to.be.greaterThan(0);
  });

  it("names the event whose record is missing from the log", async () => {
    await app.sql(
      "begin; alter table chronicle.event disable trigger append_only; delete from chronicle.event where record_key = '3' and action = 'create'; alter table chronicle.event enable trigger append_only; commit",
    );
    const error = await rejectionOf(app.log.verify());
    expect(error).to.include({ code: "REPLAY_RECORD_MISSING" });
    expect(error.details).to.deep.include({ entity: "Item", recordKey: "3" });
  });

  it("stops when it is aborted", async () => {
    expect(await rejectionOf(app.log.verify({ signal: AbortSignal.abort() }))).to.include({ code: "REPLAY_ABORTED" });
  });
});
