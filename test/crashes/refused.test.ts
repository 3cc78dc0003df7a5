import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Column, Entity, PrimaryGeneratedColumn, type QueryRunner } from "typeorm";
import { reachableTmp } from "../../dev/postgres/copy.mjs";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { serverUser } from "../../dev/postgres/run-as.mjs";
import { Tracked } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Lamp {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

/** The log's own lock, held by another session: capture waits for it inside the application's statement. */
const holdLog = (application: TrackedApplication) =>
  application
    .value<string>("select lock_arguments from chronicle.installation")
    .then((key) => application.query(`begin; select pg_advisory_xact_lock(${key})`));

describe("a write that the database stops", () => {
  let application: TrackedApplication;
  before(async () => (application = await TrackedApplication.start([Lamp])));
  after(() => application?.stop());

  /** Runs a write that fails: nothing of it is there, in the table or the log, and the next one works. */
  async function expectWhole(state: string, write: (runner: QueryRunner) => Promise<unknown>): Promise<void> {
    const counts = () =>
      application.query("select (select count(*) from lamp) as rows, (select count(*) from chronicle.event) as events");
    const runner = application.dataSource.createQueryRunner();
    const before = await counts();
    try {
      expect(await rejectionOf(write(runner))).to.include({ code: state });
      if (runner.isTransactionActive) await runner.rollbackTransaction();
    } finally {
      await runner.release();
    }
    expect(await counts()).to.deep.equal(before);
    await application.manager.save(Lamp, { name: "afterwards" });
    const [{ rows, events } = {}] = before;
    expect(await counts()).to.deep.equal([{ rows: String(Number(rows) + 1), events: String(Number(events) + 1) }]);
  }

  it("by statement_timeout, while capture waits, fails whole", async () => {
    await holdLog(application);
    const waiting = expectWhole("57014", async (runner) => {
      await runner.startTransaction();
      await runner.query("set local statement_timeout = 100");
      try {
        await runner.manager.insert(Lamp, { name: "late" });
      } finally {
        await application.query("commit");
      }
    });
    await waiting;
  });

  it("by a cancel, while capture waits, fails whole", async () => {
    await holdLog(application);
    await expectWhole("57014", async (runner) => {
      const write = runner.manager.insert(Lamp, { name: "cancelled" });
      void write.catch(() => undefined);
      try {
        for (;;) {
          const [found] = await application.query(
            `select pg_cancel_backend(pid) from pg_locks where locktype = 'advisory' and not granted
             and database = (select oid from pg_database where datname = current_database())`,
          );
          if (found !== undefined) break;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      } finally {
        await application.query("commit");
      }
      await write;
    });
  });

  it("in a read-only transaction fails whole", () =>
    expectWhole("25006", async (runner) => {
      await runner.startTransaction();
      await runner.query("set transaction read only");
      await runner.manager.save(Lamp, { name: "read only" });
    }));

  it("on a database that is read-only fails whole", () =>
    expectWhole("25006", async (runner) => {
      await runner.query("set default_transaction_read_only = on");
      try {
        await runner.manager.insert(Lamp, { name: "read only" });
      } finally {
        await runner.query("reset default_transaction_read_only");
      }
    }));
});

describe("a full disk under the log", () => {
  let folder: string | undefined;
  let postgres: RunningPostgres | undefined;
  let application: TrackedApplication;

  before(async function () {
    const user = serverUser();
    folder = mkdtempSync(join(reachableTmp(user), "typeorm-chronicle-small-disk-"));
    if (process.getuid?.() !== 0 || process.platform !== "linux") {
      console.log("      skipped: only root can mount the small disk that this needs");
      return this.skip();
    }
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], { stdio: "pipe" });
    } catch (error) {
      rmSync(folder, { recursive: true });
      folder = undefined;
      console.log(`      skipped: this machine does not mount a small disk (${String(error).split("\n")[0]})`);
      return this.skip();
    }
    if (user !== null) chownSync(folder, user.uid, user.gid);
    postgres = await startPostgres({ server: "own" });
    application = await TrackedApplication.start([Lamp], { server: postgres.url });
    await application.query(`create tablespace small location '${folder}'`);
    await application.query("alter table chronicle.event set tablespace small");
  });
  after(async () => {
    await application?.stop();
    await postgres?.stop();
    if (folder === undefined) return;
    if (process.getuid?.() === 0) execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  it("fails writes whole, and they go on when there is room again", async function () {
    this.timeout(60_000);
    const lamps = application.dataSource.getRepository(Lamp);
    const name = "x".repeat(1500);
    let error: (Error & { code?: string }) | undefined;
    let acknowledged = 0;
    while (error === undefined) {
      await lamps
        .insert(Array.from({ length: 100 }, (_, index) => ({ name: `${index} ${Math.random()} ${name}` })))
        .then(() => (acknowledged += 100))
        .catch((caught: Error) => (error = caught));
    }
    expect(error).to.include({ code: "53100" });
    expect(await lamps.count()).to.equal(acknowledged);
    expect(await application.countEvents()).to.equal(acknowledged);
    await application.query("alter table chronicle.event set tablespace pg_default");
    await lamps.insert({ name: "room again" });
    expect(await application.countEvents()).to.equal(acknowledged + 1);
    expect((await application.log.verify()).equal).to.equal(true);
  });
});
