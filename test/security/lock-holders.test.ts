import { expect } from "chai";
import pg from "pg";
import type { DataSource } from "typeorm";
import { startPostgres } from "../../dev/postgres.mjs";
import { withPooledSession } from "../../src/core/session.js";
import { eventLog, type Hold, type LogHolder } from "../../src/index.js";
import { logHolders } from "../../src/log/log-holders.js";
import { rejectionOf } from "../replay/application.js";
import { expectTyped } from "../typed-errors.js";
import { Account } from "./entities.js";
import { guardedLog, type Roles } from "./roles.js";
import { createRole } from "./stranger.js";
import { TrackedApplication } from "../tracked-application.js";

/** Anybody can work it out. */
const key = "hashtextextended(current_database() || '.chronicle', 0)";

const holdersAtOnce = (dataSource: DataSource): Promise<LogHolder[]> =>
  withPooledSession(dataSource, (session) =>
    session.snapshot(() => logHolders(session, '"chronicle"', { afterMs: 0 })),
  );

describe("who makes others of the log wait", () => {
  const guarded = guardedLog();
  const open: pg.Client[] = [];
  const dataSources = new Map<keyof Roles, DataSource>();

  before(async () => {
    for (const role of ["owner", "application", "reader", "stranger"] as const)
      dataSources.set(role, await guarded().open(role));
  });
  afterEach(async () => {
    for (const client of open.splice(0)) {
      await client.query("rollback");
      await client.query("select pg_advisory_unlock_all()");
      await client.end();
    }
  });

  /** A session of a role that has run these statements, and goes on as they leave it. */
  async function session(role: keyof Roles, ...statements: string[]): Promise<{ pid: number; client: pg.Client }> {
    const client = await guarded().connect(role);
    open.push(client);
    for (const statement of ["set application_name = 'the other'", ...statements]) await client.query(statement);
    return { pid: (client as unknown as { processID: number }).processID, client };
  }

  const as = (role: keyof Roles) => dataSources.get(role)!;
  const statusAs = (role: keyof Roles) => eventLog(as(role)).status();

  /** Sessions of our roles that hold something, however short. */
  const atOnce = async (dataSource: DataSource): Promise<LogHolder[]> =>
    (await holdersAtOnce(dataSource)).filter(({ user }) =>
      Object.values<string | null>({ ...guarded().roles }).includes(user),
    );

  async function holderOf(dataSource: DataSource): Promise<LogHolder | undefined> {
    const [holder, ...others] = await atOnce(dataSource);
    expect(others).to.deep.equal([]);
    return holder;
  }

  const write = () => as("application").manager.save(Account, { name: "somebody" });

  it("is nobody while writers come and go", async () => {
    await write();
    expect((await statusAs("owner")).holders).to.deep.equal([]);
    expect(await atOnce(as("owner"))).to.deep.equal([]);
  });

  const strays: readonly (readonly [string, readonly string[], Hold])[] = [
    ["exclusively, for its session", [`select pg_advisory_lock(${key})`], "exclusive lock"],
    ["in shared mode, for its session", [`select pg_advisory_lock_shared(${key})`], "shared lock"],
    ["exclusively, in a transaction", ["begin", `select pg_advisory_xact_lock(${key})`], "exclusive lock"],
  ];
  for (const [how, statements, hold] of strays) {
    it(`is a stranger who holds the lock ${how}: known at once, and told to all who may ask`, async () => {
      const { pid } = await session("stranger", ...statements);
      const { stranger } = guarded().roles;
      for (const role of ["owner", "application", "reader"] as const) {
        const { holders, findings } = await statusAs(role);
        const holder = { pid, user: stranger, applicationName: "the other", state: null, since: null };
        expect(holders, role).to.deep.equal([{ ...holder, what: [hold], isStray: true }]);
        expect(
          findings.filter(({ code }) => code === "LOG_LOCKED").map(({ severity, message }) => [severity, message]),
        ).to.deep.equal([
          ["warning", `Process ${pid} of ${stranger} holds the log's lock (${hold}), and is no writer of the log.`],
        ]);
        await eventLog(as(role)).check();
      }
      expectTyped(await rejectionOf(eventLog(as("owner")).check({ strict: true })), "LOG_LOCKED", String(pid));
    });
  }

  it("has state and time for a role that may see others' sessions", async () => {
    const { pid } = await session("stranger", "begin", `select pg_advisory_xact_lock(${key})`);
    const before = new Date();
    await guarded().application.query(`grant pg_read_all_stats to ${guarded().roles.reader}`);
    try {
      const [holder] = await atOnce(as("reader"));
      expect(holder).to.deep.include({ pid, state: "idle in transaction", what: ["exclusive lock"] });
      expect(holder?.since).to.be.an.instanceOf(Date);
      expect(Math.abs(before.getTime() - (holder?.since?.getTime() ?? 0))).to.be.lessThan(60_000);
    } finally {
      await guarded().application.query(`revoke pg_read_all_stats from ${guarded().roles.reader}`);
    }
  });

  it("is a stranger in shared mode once somebody waits behind it, who is named too after a minute", async () => {
    const { pid } = await session("stranger", "begin", `select pg_advisory_xact_lock_shared(${key})`);
    expect((await statusAs("owner")).holders).to.deep.equal([]);
    const waiter = await session("owner", "begin");
    const locked = waiter.client.query("select chronicle.lock_log()");
    const advisory = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
    while ((await guarded().application.value(advisory)) === "0")
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await statusAs("owner")).holders.map((holder) => [holder.pid, holder.what, holder.isStray])).to.deep.equal([
      [pid, ["shared lock"], false],
    ]);
    expect((await atOnce(as("owner"))).map((holder) => [holder.pid, holder.what])).to.have.deep.members([
      [pid, ["shared lock"]],
      [waiter.pid, ["waiting"]],
    ]);
    await open[0]?.query("rollback");
    await locked;
  });

  const writers: readonly (readonly [string, string, readonly Hold[]])[] = [
    ["a write", "insert into account (name) values ('open')", ["open writes", "shared lock"]],
    ["the exclusive lock before it", "select chronicle.lock_log()", ["exclusive lock"]],
  ];
  for (const [how, statement, what] of writers) {
    it(`is a writer of ours whose transaction stays open, and never called a stranger, after ${how}`, async () => {
      const { pid } = await session("application", "begin", statement);
      expect((await statusAs("application")).holders).to.deep.equal([]);
      const asOwner = (await statusAs("owner")).holders;
      if (how === "a write") expect(asOwner).to.deep.equal([]);
      else expect(asOwner).to.have.length(1).with.nested.property("[0].isStray", false);
      const holder = await holderOf(as("application"));
      const { application: user } = guarded().roles;
      expect(holder).to.deep.include({ pid, user, state: "idle in transaction", isStray: false, what });
    });
  }

  async function elsewhere(database: string): Promise<{ pid: number; client: pg.Client }> {
    const url = new URL(guarded().application.database.url);
    const client = new pg.Client({
      connectionString: Object.assign(url, { pathname: `/${database}`, username: guarded().roles.stranger }).href,
      application_name: "the other",
    });
    await client.connect();
    open.push(client);
    return { pid: (client as unknown as { processID: number }).processID, client };
  }

  it("is nobody who holds another lock: of another key, or of the same key in another database", async () => {
    await session("stranger", `select pg_advisory_lock(${key} + 1)`, "select pg_advisory_lock(1, 2)");
    const { client } = await elsewhere("postgres");
    const hashed = await guarded().application.value(`select ${key}`);
    await client.query(`select pg_advisory_lock(${hashed})`);
    expect(await atOnce(as("owner"))).to.deep.equal([]);
  });

  it("is told to nobody who may not read what is installed, without an error", async () => {
    await session("stranger", `select pg_advisory_lock(${key})`);
    expect((await statusAs("stranger")).holders).to.deep.equal([]);
  });
});

describe("who makes others of the log wait, where the server has prepared transactions", function () {
  this.timeout(120_000);
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
  let application: TrackedApplication;
  before(async () => {
    server = await startPostgres({ server: "own", settings: { max_prepared_transactions: 4 } });
    application = await TrackedApplication.start([Account], { server: server.url });
  });
  after(async () => {
    await application?.stop();
    await server?.stop();
  });

  it("is one that nobody ended, of ours or of a stranger", async () => {
    await application.query("begin; insert into account (name) values ('prepared'); prepare transaction 'ours'");
    const [ours, ...others] = await holdersAtOnce(application.dataSource);
    expect(others).to.deep.equal([]);
    expect(ours).to.deep.include({
      pid: null,
      user: "postgres",
      applicationName: null,
      state: "prepared",
      isStray: false,
    });
    expect(ours?.what).to.deep.equal(["open writes", "shared lock"]);
    expect(ours?.since).to.be.an.instanceOf(Date);
    await application.query("commit prepared 'ours'");

    const stranger = await createRole(application.database.url);
    const client = await stranger.connect();
    await client.query(`begin; select pg_advisory_xact_lock(${key}); prepare transaction 'theirs'`);
    const { holders, findings } = await application.log.status();
    const told = { pid: null, user: stranger.name, applicationName: null, state: "prepared", isStray: true };
    expect(holders).to.have.length(1);
    expect(holders[0]).to.deep.include({ ...told, what: ["exclusive lock"] });
    expect(findings.map(({ message }) => message)).to.deep.equal([
      `A prepared transaction of ${stranger.name} holds the log's lock (exclusive lock), and is no writer of the log.`,
    ]);
    await client.query("rollback prepared 'theirs'");
    await client.end();
    await stranger.drop();
  });
});
