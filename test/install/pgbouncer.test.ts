import { expect } from "chai";
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, chmodSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Column, type DataSource, Entity, PrimaryGeneratedColumn } from "typeorm";
import { serverUser } from "../../dev/postgres/run-as.mjs";
import { keepRetention } from "../../src/activity/cleanup.js";
import { eventLog, Tracked, withRequestContext } from "../../src/index.js";
import { query } from "../database.js";
import { expectSameRows, readLiveRows } from "../live-rows.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Order {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") buyer!: string;
}

function findPgbouncer(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders
    .map((folder) => join(folder, "pgbouncer"))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("behind pgbouncer in transaction mode", () => {
  const binary = findPgbouncer();
  if (binary === undefined) {
    it.skip("needs the pgbouncer binary (Debian package pgbouncer) on the PATH");
    return;
  }
  let app: TrackedApplication;
  let pooled: DataSource;
  let pgbouncer: ChildProcess | undefined;
  let folder: string;

  before(async function () {
    this.timeout(60_000);
    app = await TrackedApplication.start([Order]);
    folder = await mkdtemp(join(tmpdir(), "chronicle-pgbouncer-"));
    chmodSync(folder, 0o755);
    const server = new URL(app.database.url);
    const port = await freePort();
    const password = server.password === "" ? "" : ` password=${decodeURIComponent(server.password)}`;
    await writeFile(
      join(folder, "pgbouncer.ini"),
      `[databases]
* = host=${server.hostname} port=${server.port || 5432} user=${decodeURIComponent(server.username)}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
`,
    );
    const user = serverUser();
    pgbouncer = spawn(binary, [join(folder, "pgbouncer.ini")], {
      stdio: "ignore",
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    const url = new URL(app.database.url);
    url.port = String(port);
    pooled = newDataSource(url.href, [Order], { poolSize: 20, extra: { max: 20 } });
    const deadline = Date.now() + 20_000;
    while (
      !(await query(url.href, "select").then(
        () => true,
        () => false,
      ))
    ) {
      if (Date.now() > deadline || pgbouncer.exitCode !== null) throw new Error("pgbouncer did not start");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await pooled.initialize();
  });
  after(async () => {
    if (pooled?.isInitialized) await pooled.destroy();
    pgbouncer?.kill("SIGKILL");
    await app?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it("installs, checks and records each write with its own actor, on 3 connections for 20 clients", async function () {
    this.timeout(60_000);
    const log = eventLog(pooled);
    expect(await log.install()).to.include({ changed: false });
    await app.query("update chronicle.installation set fingerprint = ''");
    expect(await log.install()).to.include({ changed: true });
    await log.check();
    const large = "x".repeat(3_000);
    await Promise.all(
      Array.from({ length: 200 }, (_, id) =>
        withRequestContext(
          { actor: { type: "user", id }, ...(id % 5 === 0 ? { metadata: { large } } : {}) },
          async () => {
            if (id % 2 === 0) return pooled.manager.insert(Order, { buyer: String(id) });
            return pooled.manager.transaction(async (manager) => {
              const order = await manager.save(Order, { buyer: "" });
              await manager.update(Order, { id: order.id }, { buyer: String(id) });
            });
          },
        ),
      ),
    );
    await pooled.manager.insert(Order, { buyer: "nobody" });
    const rows = await app.query<{ buyer: string; actors: string[] }>(
      `select o.buyer, array_agg(distinct e.actor_id) as actors from "order" o join chronicle.event e on e.record_key = o.id::text group by 1`,
    );
    expect(rows).to.have.length(201);
    for (const { buyer, actors } of rows) expect(actors, buyer).to.deep.equal([buyer === "nobody" ? null : buyer]);
  });

  it("records activity, and keeps its retention by one process at a time, with no lock left behind", async function () {
    this.timeout(60_000);
    const { activity } = eventLog(pooled);
    await activity.recordNow("pooled");
    // Not so old that the application's own retention, which runs at its start, would take part.
    const old = (count: number) =>
      app.query(`insert into chronicle.activity (id, occurred_at, action, outcome, severity, node)
        select gen_random_uuid(), now() - interval '60 days', 'old', 'success', 'info', 'test' from generate_series(1, ${count})`);
    await old(6_000);
    for (const count of [6_000, 1, 1, 1]) {
      if (count === 1) await old(1);
      const kept = await Promise.all([keepRetention(pooled, 30), keepRetention(pooled, 30)]);
      // Whoever finds the other at it leaves the rest to that one; a batch later it may be the other way round.
      while ((await app.value("select count(*) from chronicle.activity where action = 'old'")) !== "0")
        kept.push(await keepRetention(pooled, 30));
      expect(kept.reduce((sum, deleted) => sum + deleted)).to.equal(count);
    }
    expect(await app.value("select count(*) from chronicle.activity where action = 'pooled'")).to.equal("1");
    expect(
      await app.value(
        "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      ),
    ).to.equal("0");
  });

  it("reads, bookmarks, verifies and replays", async function () {
    this.timeout(60_000);
    const log = eventLog(pooled);
    const order = await pooled.manager.save(Order, { buyer: "one" });
    const bookmark = await log.bookmark("before");
    const before = await readLiveRows(app.database.url);
    await pooled.manager.update(Order, { id: order.id }, { buyer: "two" });
    const now = await readLiveRows(app.database.url);
    expect((await log.history(Order, order.id)).map(({ data }) => data["buyer"])).to.deep.equal(["one", "two"]);
    expect((await log.at(Order, order.id, bookmark.position))?.buyer).to.equal("one");
    for (let time = 0; time < 6; time++) expect(await log.verify()).to.include({ equal: true });
    expect(await log.replay(undefined, { dryRun: true })).to.include({ drift: 0 });
    expect(await log.baseline()).to.deep.equal({ rows: 0 });
    let busy = true;
    const others = Array.from({ length: 6 }, async () => {
      while (busy) await pooled.query(`select count(*) from "order"`);
    });
    try {
      await log.replay({ bookmark: "before" });
      expectSameRows(await readLiveRows(app.database.url), before);
      const { position } = await log.status();
      await log.replay(position);
    } finally {
      busy = false;
      await Promise.all(others);
    }
    expectSameRows(await readLiveRows(app.database.url), before);
    expect(now).to.not.deep.equal(before);
    expect(await log.verify()).to.include({ equal: true });
  });
});
