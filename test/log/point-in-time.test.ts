import { expect } from "chai";
import { Column, DataSource, Entity, ManyToOne, PrimaryColumn } from "typeorm";
import { startPostgres } from "../../dev/postgres.mjs";
import { eventLog, type PointInTime, Tracked, withEventLog } from "../../src/index.js";
import { differencesOf } from "../live-rows.js";
import { application, type Application, rejectionOf } from "../replay/application.js";

@Entity()
@Tracked()
class Account {
  @PrimaryColumn("integer") id!: number;
  @Column("integer") balance!: number;
}

@Entity()
@Tracked()
class Parent {
  @PrimaryColumn("integer") id!: number;
}

@Entity()
@Tracked()
class Child {
  @PrimaryColumn("integer") id!: number;
  @ManyToOne(() => Parent, { deferrable: "INITIALLY DEFERRED" }) parent!: Parent;
}

/** Ids of the accounts that exist at a point, by an open transaction of the log's own reading. */
async function accountsAt(app: Application, point: PointInTime): Promise<number[]> {
  const found = await app.log.at(Account, [1, 2, 3, 4, 5], point);
  return found.filter((account) => account !== null).map(({ id }) => id);
}

const insert = (id: number) => `insert into account values (${id}, ${id})`;

/** Changes the log behind its guard. */
async function forge(app: Application, statement: string): Promise<void> {
  await app.sql(
    `begin; alter table chronicle.event disable trigger append_only; ${statement}; alter table chronicle.event enable trigger append_only; commit`,
  );
}

describe("a point in time", () => {
  const app = application({ entities: [Account] });

  it("that is no point, or lies outside the log, is unknown, with the way out", async () => {
    expect(await rejectionOf(app.log.at(Account, 1, 1n))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    await app.sql(insert(1));
    const last = await app.position();
    const points: unknown[] = [last + 1n, last - 1n, 0n, -1n, new Date(Number.NaN), "2026", "2026-05-01T00:00:00"];
    points.push("2026-02-31T99:00:00Z", { bookmark: "none" }, new Date("2001-01-01"), "2999-01-01T00:00:00Z");
    points.push(null, 7, {}, []);
    for (const point of points) {
      const error = await rejectionOf(app.log.at(Account, 1, point as PointInTime));
      expect(error, String(point)).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    }
    expect((await rejectionOf(app.log.at(Account, 1, "42"))).message).to.include("42n");
  });

  it("by position keeps transactions whole", async () => {
    const [one, two] = [await app.connect(), await app.connect()];
    await app.sql(insert(5));
    await one.query(`begin; ${insert(1)}`);
    await two.query(insert(2));
    const inside = (await app.sql("select max(position) as p from chronicle.event"))[0]?.p as string;
    await one.query(`${insert(3)}; commit`);
    await app.sql(insert(4));
    expect(await accountsAt(app, BigInt(inside))).to.deep.equal([2, 5]);
    expect(await accountsAt(app, BigInt(inside) + 1n)).to.deep.equal([1, 2, 3, 5]);
    const before: number[] = [];
    for await (const { recordId } of app.log.events({ to: BigInt(inside) })) before.push(Number(recordId.id));
    const after: number[] = [];
    for await (const { recordId } of app.log.events({ from: BigInt(inside) })) after.push(Number(recordId.id));
    expect([before, after]).to.deep.equal([
      [5, 2],
      [1, 3, 4],
    ]);
  });

  it("by time has what occurred by the end of its millisecond", async () => {
    for (const id of [1, 2, 3]) {
      await app.sql(insert(id));
      await app.sql("select pg_sleep(0.01)");
    }
    const times = (await app.events()).map(({ occurredAt }) => occurredAt);
    for (const [index, time] of times.entries()) {
      const expected = [1, 2, 3].slice(0, index + 1);
      expect(await accountsAt(app, time)).to.deep.equal(expected);
      expect(await accountsAt(app, time.toISOString())).to.deep.equal(expected);
      expect(await accountsAt(app, time.toISOString().replace("Z", "+00:00"))).to.deep.equal(expected);
    }
  });

  it("by time is ambiguous where the clock went back, and a position is not", async () => {
    for (const id of [1, 2, 3, 4]) await app.sql(insert(id));
    const [first] = await app.events();
    const at = (id: number) =>
      `update chronicle.event set occurred_at = occurred_at + interval '1 hour' where (record_id ->> 'id')::int = ${id}`;
    await forge(app, `update chronicle.event set occurred_at = occurred_at - interval '2 hours'; ${at(2)}`);
    const time = new Date(Date.now() - 7_000_000);
    const error = await rejectionOf(accountsAt(app, time));
    expect(error).to.include({ code: "POINT_IN_TIME_AMBIGUOUS" });
    expect(error.details).to.deep.equal({ positions: [(first?.position ?? 0n) + 1n] });
    expect(await accountsAt(app, (first?.position ?? 0n) + 2n)).to.deep.equal([1, 2, 3]);
    expect(await rejectionOf(app.log.replay(time))).to.include({ code: "POINT_IN_TIME_AMBIGUOUS" });
  });

  it("by time bears a clock that goes back by less than clockSkewSeconds", async () => {
    for (const id of [1, 2, 3, 4]) await app.sql(insert(id));
    await forge(
      app,
      "update chronicle.event set occurred_at = timestamptz '2026-01-01 00:00:00Z' + interval '1 second' * (case (record_id ->> 'id')::int when 2 then 4 else (record_id ->> 'id')::int - 1 end)",
    );
    // Stamped 0, 4, 2, 3: at second 2 the last event is the third, and with it what stands before it.
    expect(await accountsAt(app, "2026-01-01T00:00:02Z")).to.deep.equal([1, 2, 3]);
    expect(await accountsAt(app, "2026-01-01T00:00:00Z")).to.deep.equal([1]);
    expect(await accountsAt(app, "2026-01-01T00:00:04Z")).to.deep.equal([1, 2, 3, 4]);
  });

  it("near now waits for those who have written to the log, and for nobody else", async () => {
    await app.sql(insert(1));
    const [writer, reader] = [await app.connect(), await app.connect()];
    await app.sql("create table if not exists untracked (id integer)");
    await reader.query("begin; insert into untracked values (1)");
    await writer.query(`begin; ${insert(2)}`);
    let ended = false;
    const asked = new Date();
    const now = accountsAt(app, asked).finally(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(ended, "answered while a writer was open").to.equal(false);
    await writer.query("commit");
    expect(await now).to.deep.equal([1, 2]);
    await forge(
      app,
      "update chronicle.event set occurred_at = occurred_at - interval '1 hour' where record_id @> '{\"id\": 1}'",
    );
    await writer.query(`begin; ${insert(3)}`);
    expect(await accountsAt(app, (await app.position()) - 1n), "a point long before").to.deep.equal([1]);
    await writer.query("rollback");
    expect(await accountsAt(app, new Date()), "an idle transaction is no writer").to.deep.equal([1, 2]);
    await reader.query("rollback");
  });

  it("before the baseline of an entity is unknown, for that entity's records and for a replay", async () => {
    await app.sql(insert(1));
    await app.spoil(insert(2));
    const before = await app.position();
    // As of a table that had rows before it was tracked.
    await app.sql("update chronicle.tracked set had_rows = true");
    await app.log.baseline();
    const after = await app.position();
    const error = await rejectionOf(app.log.replay(before));
    expect(error).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(error.details).to.deep.equal({ entity: "Account", position: after });
    expect(await rejectionOf(app.log.shadow(before))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(await rejectionOf(app.log.at(Account, 2, before))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect((await app.log.at(Account, 1, before))?.balance, "a record that was known").to.equal(1);
    expect(await accountsAt(app, after)).to.deep.equal([1, 2]);
    await app.sql("update chronicle.tracked set had_rows = false");
  });

  it("that is a bookmark leaves out whoever was open, however new", async () => {
    const clients = [await app.connect(), await app.connect(), await app.connect()];
    for (const [index, client] of clients.entries()) await client.query(`begin; ${insert(index + 1)}`);
    await app.sql(insert(4));
    for (const client of clients.slice(0, 1)) await client.query("commit");
    const { bookmark, rows } = await app.moment();
    for (const client of clients.slice(1)) await client.query("commit");
    expect(await accountsAt(app, { bookmark })).to.deep.equal([1, 4]);
    await app.log.replay({ bookmark });
    expect(differencesOf(await app.rows(), rows)).to.deep.equal([]);
    expect(await rejectionOf(app.log.bookmark(bookmark))).to.include({ code: "BOOKMARK_EXISTS" });
  });

  it("can be named inside a transaction on a pool of one, and leaves that transaction out", async () => {
    const dataSource = new DataSource(
      withEventLog({ type: "postgres", url: app.url, entities: [Account], poolSize: 1 }),
    );
    await dataSource.initialize();
    try {
      await app.sql(insert(1));
      await dataSource.transaction(async (manager) => {
        await manager.insert(Account, { id: 2, balance: 0 });
        await eventLog(dataSource).bookmark("inside");
      });
      expect(await accountsAt(app, { bookmark: "inside" })).to.deep.equal([1]);
    } finally {
      await dataSource.destroy();
    }
  });

  it("knows transactions of another cluster (made up: no dump and restore) from those of this one that have the same id", async () => {
    await app.sql(`begin; ${insert(1)}; ${insert(2)}; commit`);
    const old = await app.moment();
    // As after dump and restore: the cluster is another, and its transaction ids begin anew.
    await app.sql("update chronicle.installation set system_identifier = 'another'");
    expect((await app.log.status()).advice.join(" ")).to.include("another cluster");
    await app.log.install();
    expect((await app.log.status()).advice.join(" ")).not.to.include("another cluster");
    const [one, two] = [await app.connect(), await app.connect()];
    await one.query("begin");
    const [own] = (await one.query<{ id: string }>("select pg_current_xact_id()::text as id")).rows;
    await forge(app, `update chronicle.event set transaction_id = '${own?.id}' where epoch = 1`);
    // The other cluster had come further.
    await app.sql(
      "set session_replication_role = replica; update chronicle.bookmark set snapshot = '9999999:9999999:'; reset session_replication_role",
    );
    await one.query(insert(3));
    await two.query(insert(4));
    const inside = (await app.sql("select max(position) as p from chronicle.event"))[0]?.p as string;
    await one.query(`${insert(5)}; commit`);
    const ids = await app.sql(
      "select count(distinct transaction_id) as ids, count(distinct epoch) as epochs from chronicle.event",
    );
    expect(ids, "the test's own premise").to.deep.equal([{ ids: "2", epochs: "2" }]);
    expect(await accountsAt(app, BigInt(inside))).to.deep.equal([1, 2, 4]);
    expect(await accountsAt(app, { bookmark: old.bookmark })).to.deep.equal([1, 2]);
    await app.log.replay({ bookmark: old.bookmark });
    expect(differencesOf(await app.rows(), old.rows)).to.deep.equal([]);
  });
});

describe("a point in time, where a tracked table has deferrable constraints", () => {
  const app = application({ entities: [Account, Parent, Child] });

  it("leaves out a transaction whose commit rested on one that is left out", async () => {
    const [one, two] = [await app.connect(), await app.connect()];
    await app.sql(insert(1));
    await one.query("begin; insert into child values (1, 7)");
    const inside = BigInt((await app.sql("select last_value as p from chronicle.event_position_seq"))[0]?.p as string);
    await two.query("insert into parent values (7)");
    await one.query("commit"); // here its reference is checked
    for (const { position } of await app.events()) {
      const child = await app.log.at(Child, 1, position);
      const parent = await app.log.at(Parent, 7, position);
      expect(child === null || parent !== null, `a child without its parent at ${position}`).to.equal(true);
    }
    expect(await app.log.at(Child, 1, await app.position())).not.to.equal(null);
    expect(Number(inside)).to.be.greaterThan(0);
  });

  it("marks a commit once, after everything, and not those that recorded nothing", async () => {
    await app.sql(`begin; ${insert(1)}; ${insert(2)}; savepoint s; ${insert(3)}; rollback to s; ${insert(4)}; commit`);
    await app.sql("update account set balance = balance");
    await app.sql(`begin; ${insert(5)}; rollback`);
    const [marker] = await app.sql(
      "select count(*) as markers, bool_and(m.settled) as settled, min(m.position) > max(e.position) as last from chronicle.commit_marker m, chronicle.event e where e.transaction_id = m.transaction_id",
    );
    expect(marker).to.deep.equal({ markers: "3", settled: true, last: true });
    expect(await app.sql("select count(*) as n from chronicle.commit_marker")).to.deep.equal([{ n: "1" }]);
  });

  it("draws no such position any more once the constraints are gone", async () => {
    const [constraint] = await app.sql(
      "select conname as name from pg_constraint where conrelid = 'child'::regclass and condeferrable",
    );
    await app.sql(
      `alter table child alter constraint "${constraint?.name}" not deferrable; update chronicle.installation set fingerprint = ''`,
    );
    await app.log.install();
    await app.sql(insert(1));
    expect(await app.sql("select count(*) as n from chronicle.commit_marker")).to.deep.equal([{ n: "0" }]);
  });
});

describe("a point in time, where the server keeps commit times", function () {
  this.timeout(120_000);
  const given = process.env["DATABASE_URL"];
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
  before(async () => {
    server = await startPostgres({ server: "own", settings: { track_commit_timestamp: "on" } });
    process.env["DATABASE_URL"] = server.url;
  });
  const app = application({ entities: [Account] });
  after(async () => {
    if (given !== undefined) process.env["DATABASE_URL"] = given;
    await server?.stop();
  });

  it("cuts by the moment of commit", async () => {
    expect((await app.log.status()).advice).to.deep.equal([]);
    const one = await app.connect();
    await app.sql(insert(1));
    await one.query(`begin; ${insert(2)}`);
    await app.sql(insert(3));
    const [{ now } = {}] = await app.sql("select clock_timestamp() as now");
    await app.sql("select pg_sleep(0.02)");
    await one.query("commit");
    await app.sql("select pg_sleep(0.02)");
    // Its only event came before that moment, its commit after it.
    expect(await accountsAt(app, now as Date)).to.deep.equal([1, 3]);
    expect(await accountsAt(app, new Date())).to.deep.equal([1, 2, 3]);
  });
});
