import { expect } from "chai";
import pg from "pg";
import { Column, type DataSource, Entity, PrimaryColumn } from "typeorm";
import { eventLog, type EventLogOptions, Tracked } from "../../src/index.js";
import { createRole } from "./stranger.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";
import { rejectionOf } from "../replay/application.js";
import { expectTyped } from "../typed-errors.js";

@Entity()
@Tracked()
class Ledger {
  @PrimaryColumn("text") id!: string;
  @Column("integer") amount!: number;
}

/** Its triggers are at row level, because it has one of the application's. */
@Entity()
@Tracked()
class Booking {
  @PrimaryColumn("text") id!: string;
  @Column("integer") amount!: number;
}

type Table = typeof Ledger | typeof Booking;

const timeoutMs = 150;

/** Ways to take the log's lock: options, the key that a stranger works out, the table that is written. */
const ways: readonly (readonly [string, EventLogOptions, key: string | undefined, Table])[] = [
  ["trigger capture", {}, undefined, Ledger],
  ["trigger capture at row level", {}, undefined, Booking],
  ["trigger capture with a key of two numbers", { lock: { key: [-7, 2_147_483_647] } }, "-7, 2147483647", Ledger],
  ["trigger capture, exclusive", { lock: { mode: "exclusive" } }, undefined, Ledger],
  ["subscriber capture", { capture: "subscriber" }, undefined, Ledger],
  ["subscriber capture, exclusive", { capture: "subscriber", lock: { mode: "exclusive" } }, undefined, Ledger],
  ["subscriber capture with a key of two numbers", { capture: "subscriber", lock: { key: [7, -1] } }, "7, -1", Ledger],
  [
    "subscriber capture with a key for each change",
    { capture: "subscriber", lock: { keyFor: () => -(2n ** 63n) } },
    "'-9223372036854775808'",
    Ledger,
  ],
  [
    "subscriber capture with keys for each change, exclusive",
    { capture: "subscriber", lock: { mode: "exclusive", keyFor: () => [3, -4] } },
    "3, -4",
    Ledger,
  ],
];

describe("a stranger who holds the log's lock", () => {
  let application: TrackedApplication;
  let stranger: Awaited<ReturnType<typeof createRole>>;
  let holder: pg.Client;
  const dataSources: DataSource[] = [];

  before(async () => {
    application = await TrackedApplication.start([Ledger, Booking]);
    await application.query(`
      create function nothing() returns trigger language plpgsql as 'begin return null; end';
      create trigger own after insert on booking for each row execute function nothing()`);
    stranger = await createRole(application.database.url);
    holder = await stranger.connect();
  });
  afterEach(async () => {
    await holder.query("rollback");
    await holder.query("select pg_advisory_unlock_all()");
    for (const dataSource of dataSources.splice(0)) await dataSource.destroy();
  });
  after(async () => {
    await holder?.end();
    await application?.stop();
    await stranger?.drop();
  });

  /** The application with these options, installed. */
  async function installed(log: EventLogOptions): Promise<DataSource> {
    const dataSource = newDataSource(application.database.url, [Ledger, Booking], { poolSize: 2 }, log);
    dataSources.push(await dataSource.initialize());
    await eventLog(dataSource).install();
    return dataSource;
  }

  const bounded = (log: EventLogOptions = {}) => installed({ ...log, lock: { ...log.lock, timeoutMs } });

  /** The key is worked out from what everybody knows: the names of the database and the schema. */
  const hold = (key = "hashtextextended(current_database() || '.chronicle', 0)", mode = "") =>
    holder.query(`select pg_advisory_lock${mode}(${key})`);

  const counts = async (table: Table, id: string) => ({
    rows: await application.value(`select count(*) from ${table.name.toLowerCase()} where id = $1`, [id]),
    events: await application.value("select count(*) from chronicle.event where record_key = $1", [id]),
  });

  for (const [what, log, key, table] of ways) {
    it(`refuses a write after lock.timeoutMs, whole, and those after go on: ${what}`, async () => {
      const dataSource = await bounded(log);
      const id = `${what} refused`;
      await hold(key);
      const error = await rejectionOf(dataSource.manager.save(table, { id, amount: 1 }));
      expectTyped(error, "LOG_LOCKED", `not free within ${timeoutMs} ms`, `process ${stranger.pidOf(holder)}`);
      expect(error).to.include({ code: "LOG_LOCKED", status: 503 });
      expect(await counts(table, id)).to.deep.equal({ rows: "0", events: "0" });
      await holder.query("select pg_advisory_unlock_all()");
      await dataSource.manager.save(table, { id, amount: 1 });
      expect(await counts(table, id)).to.deep.equal({ rows: "1", events: "1" });
    });

    it(`makes a write wait that gets the lock in time, and leaves the session's lock_timeout: ${what}`, async () => {
      const dataSource = await installed({ ...log, lock: { ...log.lock, timeoutMs: 60_000 } });
      const id = `${what} waits`;
      await hold(key);
      const settings: unknown[] = [];
      const written = dataSource.transaction(async (manager) => {
        await manager.query("set local lock_timeout = '90s'"); // longer than the write waits
        await manager.insert(table, { id, amount: 1 });
        settings.push(await settingOf(manager));
      });
      written.catch(() => undefined);
      await waiting();
      await holder.query("select pg_advisory_unlock_all()");
      await written;
      expect(settings).to.deep.equal(["90s"]);
      expect(await counts(table, id)).to.deep.equal({ rows: "1", events: "1" });
    });
  }

  /** Until somebody waits for an advisory lock. */
  async function waiting(): Promise<void> {
    const query = `select count(*) from pg_locks l where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`;
    while ((await application.value(query)) === "0") await new Promise((resolve) => setTimeout(resolve, 5));
  }

  const settingOf = async (manager: { query: DataSource["query"] }) =>
    (await manager.query<{ lock_timeout: string }[]>("show lock_timeout"))[0]?.lock_timeout;

  it("refuses what others write past the library too, with a state of its own", async () => {
    await bounded();
    await hold();
    expect(await rejectionOf(application.query("insert into ledger values ('past', 1)"))).to.include({
      code: "CH009",
    });
    expect(await counts(Ledger, "past")).to.deep.equal({ rows: "0", events: "0" });
  });

  it("bounds the wait behind somebody who waits for it exclusively, while a write of ours is open", async () => {
    const dataSource = await bounded();
    await dataSource.transaction(async (manager) => {
      await manager.insert(Ledger, { id: "open", amount: 1 });
      const queued = holder.query("select pg_advisory_lock(hashtextextended(current_database() || '.chronicle', 0))");
      await waiting();
      await manager.insert(Ledger, { id: "open still", amount: 1 });
      const error = await rejectionOf(dataSource.manager.insert(Ledger, { id: "behind", amount: 1 }));
      expectTyped(error, "LOG_LOCKED");
      void queued.catch(() => undefined);
    });
    expect(await counts(Ledger, "open still")).to.deep.equal({ rows: "1", events: "1" });
  });

  for (const [what, log] of [
    ["trigger capture", {}],
    ["trigger capture, exclusive", { lock: { mode: "exclusive" } }],
  ] as const) {
    it(`leaves the session's lock_timeout after an error in a savepoint, smaller or larger: ${what}`, async () => {
      const dataSource = await bounded(log);
      await hold();
      for (const [own, code] of [
        ["0", "LOG_LOCKED"],
        ["45s", "LOG_LOCKED"],
        ["20ms", "55P03"],
      ] as const) {
        const id = `${what} in a savepoint, ${own}`;
        await dataSource.transaction(async (manager) => {
          await manager.query(`set local lock_timeout = '${own}'`);
          await manager.query("savepoint before_it");
          const error = await rejectionOf(manager.insert(Ledger, { id, amount: 1 }));
          expect(error).to.include({ code });
          await manager.query("rollback to before_it");
          expect(await settingOf(manager)).to.equal(own);
        });
        expect(await counts(Ledger, id)).to.deep.equal({ rows: "0", events: "0" });
      }
    });
  }

  it("leaves the session's own setting for the session, too", async () => {
    const dataSource = await bounded();
    const runner = dataSource.createQueryRunner();
    await runner.query("set lock_timeout = '45s'");
    await hold();
    expectTyped(await rejectionOf(runner.manager.insert(Ledger, { id: "session", amount: 1 })), "LOG_LOCKED");
    await holder.query("select pg_advisory_unlock_all()");
    await runner.manager.insert(Ledger, { id: "session", amount: 1 });
    expect(await settingOf(runner)).to.equal("45s");
    await runner.query("reset lock_timeout");
    await runner.release();
  });

  it("does not make a row's lock wait any shorter, nor name the session's own lock_timeout as the log's", async () => {
    const dataSource = await bounded();
    await dataSource.manager.save(Ledger, { id: "a row", amount: 1 });
    const other = new pg.Client({ connectionString: application.database.url });
    await other.connect();
    try {
      const locked = "begin; select from ledger where id = 'a row' for update";
      await other.query(locked);
      const written = dataSource.manager.update(Ledger, "a row", { amount: 2 });
      await new Promise((resolve) => setTimeout(resolve, timeoutMs * 3));
      await other.query("commit");
      await written;
      await other.query(locked);
      const error = await rejectionOf(
        dataSource.transaction(async (manager) => {
          await manager.query("set local lock_timeout = '20ms'");
          await manager.update(Ledger, "a row", { amount: 3 });
        }),
      );
      expect(error).to.include({ code: "55P03" });
    } finally {
      await other.end();
    }
    expect(await application.value("select amount from ledger where id = 'a row'")).to.equal(2);
  });

  it("bounds the wait for all keys of a transaction together", async () => {
    await hold("42");
    const asked = "select chronicle.lock_within(60000, clock_timestamp() - interval '1 hour', '[42]', true)";
    expect(await rejectionOf(application.query(asked))).to.include({ code: "CH009" });
  });

  it("makes a write wait as long as it takes once lock.timeoutMs is not set any more", async () => {
    await bounded();
    const unbounded = await installed({});
    await hold();
    const written = unbounded.manager.insert(Ledger, { id: "unbounded", amount: 1 });
    written.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, timeoutMs * 3));
    await waiting();
    await holder.query("select pg_advisory_unlock_all()");
    await written;
    expect(await counts(Ledger, "unbounded")).to.deep.equal({ rows: "1", events: "1" });
  });

  it("does not stop what the log does itself from trying again", async () => {
    const dataSource = await installed({ lock: { timeoutMs: 20 } });
    await application.query("alter table ledger disable trigger all; insert into ledger values ('unseen', 1)");
    await application.query("alter table ledger enable trigger all");
    await hold();
    const reconciled = eventLog(dataSource).reconcile({ dryRun: false });
    reconciled.catch(() => undefined);
    await waiting();
    await new Promise((resolve) => setTimeout(resolve, timeoutMs * 3));
    await holder.query("select pg_advisory_unlock_all()");
    await reconciled;
    expect(await counts(Ledger, "unseen")).to.deep.equal({ rows: "1", events: "1" });
  });
});
