import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type ActivityOptions, eventLog } from "../../src/index.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { Account } from "./account.js";
import { rows, startActivity, until } from "./activity-log.js";
import { FaultProxy } from "./fault-proxy.js";

const script = fileURLToPath(new URL("fault-writer.js", import.meta.url));
/** Kills in this run: `CHRONICLE_FAULTS=50 npm test -- test/activity/faults.test.ts` for more. */
const kills = Number(process.env["CHRONICLE_FAULTS"] ?? 10);
/** The same without a spool, where there is less to go wrong. */
const plainKills = Math.ceil(kills / 2);
/** As fault-writer.ts sets it. */
const queue = 200;

interface LostDetails {
  readonly node: string;
  readonly lost: { readonly atLeast: number; readonly atMost: number };
}

/** A fault-writer, and the numbers of which its record() has returned. */
class Writer {
  #output = "";

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  static async start(url: string, run: string, spool: string, most = 0): Promise<Writer> {
    const child = spawn(process.execPath, [script, url, run, spool, String(most)], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const writer = new Writer(child);
    await until(() => writer.#output.startsWith("ready") || child.exitCode !== null, "the writer");
    return writer;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get numbers(): number[] {
    return this.#output
      .slice(0, this.#output.lastIndexOf("\n"))
      .split("\n")
      .filter((line) => /^\d+$/.test(line))
      .map(Number);
  }

  get wasDestroyed(): boolean {
    return this.#output.includes("destroyed");
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    const ended = once(this.child, "close");
    if (signal !== undefined) this.child.kill(signal);
    if (this.child.exitCode === null && this.child.signalCode === null) await ended;
    else await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("activity under faults", function () {
  this.timeout(kills * 10_000 + 120_000);

  let app: TrackedApplication;
  let proxy: FaultProxy;
  let folder: string;
  before(async () => {
    app = await startActivity({ alerts: false });
    proxy = await FaultProxy.before(app.database.url);
  });
  after(async () => {
    proxy.close();
    await app.stop();
  });
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-spool-"))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const stored = async (run: string) =>
    (await rows<{ details: { number: number } }>(app, `action = 'numbered' and subject = '${run}'`))
      .map(({ details }) => details.number)
      .sort((one, other) => one - other);
  const missing = (recorded: readonly number[], found: readonly number[]) => {
    const there = new Set(found);
    return recorded.filter((number) => !there.has(number));
  };

  const unreadable = async (file: string) =>
    (
      await rows<{ details: { unreadable: { reasons: string[] } } }>(
        app,
        `action = 'gap' and details->'unreadable'->>'file' = '${file}'`,
      )
    ).map(({ details }) => details.unreadable.reasons);
  const gapsOf = (pid: number) =>
    rows<{ details: { dropped: number }; severity: string }>(
      app,
      `action = 'gap' and details ? 'dropped' and node like '%:${pid}'`,
    );
  const droppedBy = async (pid: number) => (await gapsOf(pid)).reduce((sum, { details }) => sum + details.dropped, 0);

  it(`loses nothing with a spool: ${kills} kills at random moments, the database stalled, stopped and restarted meanwhile`, async () => {
    let recorded = 0;
    let underFault = 0;
    let torn = 0;
    for (let kill = 0; kill < kills; kill++) {
      const run = `spool ${kill}`;
      const writer = await Writer.start(proxy.url, run, folder);
      await pause(Math.random() * 150);
      const fault = kill % 4;
      if (fault === 1) proxy.stall();
      if (fault === 2) proxy.stop();
      if (fault === 3)
        await app.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'typeorm-chronicle activity' and datname = current_database()",
        );
      await pause(50 + Math.random() * 350);
      await writer.end("SIGKILL");
      proxy.restart();
      if (fault !== 0) underFault++;
      // The next process takes over what this one left.
      const next = await Writer.start(proxy.url, `after ${run}`, folder, 1);
      await next.end();
      expect(next.wasDestroyed, "the next process ended by itself").to.equal(true);
      const found = await stored(run);
      expect(missing(writer.numbers, found), `lost in ${run}`).to.deep.equal([]);
      expect(new Set(found).size, "written twice").to.equal(found.length);
      recorded += writer.numbers.length;
      for (const name of await readdir(folder)) {
        // The system may end a write where a page of its file ends: the record() of that entry has not returned.
        expect(await unreadable(name), `why ${name} is left`).to.deep.equal([["1 cut off"]]);
        await rm(join(folder, name));
        torn++;
      }
    }
    console.log(
      `      ${kills} kills, ${underFault} of them under a fault, ${torn} in the middle of a write, ${recorded} entries recorded, 0 lost`,
    );
  });

  it(`loses at most what was queued without a spool: ${plainKills} kills at random moments`, async () => {
    let lost = 0;
    const ends: { pid: number; lost: number; stored: number }[] = [];
    for (let kill = 0; kill < plainKills; kill++) {
      const run = `memory ${kill}`;
      const writer = await Writer.start(app.database.url, run, "-");
      await pause(Math.random() * 400);
      await writer.end("SIGKILL");
      await pause(100); // a statement that was under way may still commit
      const gone = missing(writer.numbers, await stored(run));
      const told = await droppedBy(writer.pid);
      // What is lost is the end of it: what is missing before that was dropped, and told to the entry.
      const tail = gone.filter((number, index) => number === writer.numbers.length - gone.length + index);
      expect(gone.length - tail.length, `dropped in ${run}`).to.equal(told);
      expect(tail.length, `lost in ${run}`).to.be.at.most(queue);
      lost += tail.length;
      ends.push({ pid: writer.pid, lost: tail.length, stored: writer.numbers.length - gone.length });
    }
    // The next process tells of each that was known, between which bounds the loss lies, and tells it once.
    const known = ends.filter(({ stored }) => stored > 0);
    const told = async () =>
      (await rows<{ details: LostDetails }>(app, "action = 'gap' and details ? 'lost'")).map(({ details }) => details);
    const next = [await Writer.start(app.database.url, "next", "-"), await Writer.start(app.database.url, "next", "-")];
    await until(async () => (await told()).length >= known.length, "the gap entries");
    await pause(1_500);
    for (const writer of next) await writer.end("SIGTERM");
    const details = await told();
    for (const { pid, lost: own } of known) {
      const ofIt = details.filter(({ node }) => node.endsWith(`:${pid}`));
      expect(ofIt, `gap entries of ${pid}`).to.have.length(1);
      expect(own, "lost").to.be.within(ofIt[0]?.lost.atLeast ?? Number.NaN, ofIt[0]?.lost.atMost ?? Number.NaN);
      expect(ofIt[0]?.lost.atMost).to.equal(queue);
    }
    expect(details).to.have.length(known.length);
    console.log(
      `      ${plainKills} kills, ${lost} queued entries lost, ${details.length} gap entries that tell of it`,
    );
  });

  it("tells by a gap entry how much was dropped while the database was away, to the entry", async () => {
    const run = "overflow";
    const writer = await Writer.start(proxy.url, run, "-", 1_500);
    await until(() => writer.numbers.length > 100, "some entries");
    proxy.stop();
    await until(() => writer.numbers.length > 900, "more than the queue holds");
    proxy.restart();
    await writer.end();
    expect(writer.wasDestroyed).to.equal(true);
    const gone = missing(writer.numbers, await stored(run));
    const gaps = await gapsOf(writer.pid);
    expect(gone.length, "dropped").to.be.greaterThan(0);
    expect(await droppedBy(writer.pid)).to.equal(gone.length);
    expect(gaps[0]).to.include({ severity: "error" });
    console.log(`      ${gone.length} dropped, ${gaps.length} gap entries that say so`);
  });

  /** Another DataSource of this process, with large batches and no alerts. */
  const open = (url: string, activity: ActivityOptions) =>
    newDataSource(
      url,
      [Account],
      {},
      { activity: { batch: { size: 1_000, intervalMs: 600_000 }, alerts: false, ...activity } },
    ).initialize();

  it("writes once what is sent again because an answer was lost: entries, and the gap entry", async () => {
    const dataSource = await open(proxy.url, { queue: 5 });
    try {
      const { activity } = eventLog(dataSource);
      activity.record("warm");
      await activity.flush(); // the connection is there
      for (let number = 0; number < 8; number++)
        activity.record("numbered", { subject: "sent twice", details: { number } });
      proxy.loseAnswers();
      expect(await activity.flush()).to.equal(false);
      await until(async () => (await stored("sent twice")).length === 5, "what the server was told");
      proxy.restart();
      await until(() => activity.flush(), "the second attempt");
      expect(await stored("sent twice")).to.deep.equal([0, 1, 2, 3, 4]);
      expect((await gapsOf(process.pid)).map(({ details }) => details.dropped)).to.deep.equal([3]);
    } finally {
      proxy.restart();
      await dataSource.destroy();
    }
  });

  const deadPid = () => spawnSync(process.execPath, ["--version"]).pid;

  it("keeps a stored file until the last of its entries is written", async () => {
    const count = 2_500;
    const entry = await app.log.activity.recordNow("numbered", { subject: "template" });
    const lines = Array.from({ length: count }, (_, number) =>
      JSON.stringify({ ...entry, id: randomUUID(), subject: "left", details: { number } }),
    );
    const name = `${hostname().replaceAll(/[^\w.-]/g, "_")}-${deadPid()}-${randomUUID()}.jsonl`;
    await writeFile(join(folder, name), `${lines.join("\n")}\n`);
    await app.query(`create function fail() returns trigger language plpgsql as $$ begin raise 'out of order' using errcode = '55000'; end $$;
      create trigger fail before insert on chronicle.activity for each row
      when (new.subject = 'left' and new.details ->> 'number' = '1500') execute function fail()`);
    const first = await open(app.database.url, { spool: folder });
    expect(await eventLog(first).activity.flush()).to.equal(false);
    await first.destroy();
    expect(await stored("left"), "written before the failure").to.have.length(1_000);
    expect(await readdir(folder)).to.deep.equal([name]);
    await app.query("drop function fail cascade");
    const second = await open(app.database.url, { spool: folder });
    try {
      expect(await eventLog(second).activity.flush()).to.equal(true);
      const found = await stored("left");
      expect(found).to.have.length(count);
      expect(new Set(found), "written twice").to.have.length(count);
      expect(await readdir(folder)).to.deep.equal([]);
    } finally {
      await second.destroy();
    }
  });

  it("says with each write how many entries wait behind it", async () => {
    await app.query(`create table told (id serial, waiting integer);
      create function told() returns trigger language plpgsql as $$ begin insert into public.told (waiting) values (new.waiting); return null; end $$;
      create trigger told after insert or update of waiting on chronicle.activity_writer for each row execute function told()`);
    const dataSource = await open(app.database.url, {});
    try {
      const { activity } = eventLog(dataSource);
      for (let number = 0; number < 2_500; number++) activity.record("many");
      await activity.flush();
      const told = await app.query<{ waiting: number }>("select waiting from told order by id");
      expect(told.map(({ waiting }) => waiting)).to.deep.equal([1_500, 500, 0]);
    } finally {
      await app.query("drop function told cascade; drop table told");
      await dataSource.destroy();
    }
  });

  it("tells of each writer that is gone by the bounds that it left: of this machine's at once, of another's after hours", async () => {
    const writers: [node: string, hours: number, waiting: number, told?: string][] = [
      [`${hostname()}:${deadPid()}`, 0, 7, "error"],
      [`${hostname()}:${deadPid()}`, 0, 0, "warning"],
      [`${hostname()}:${process.ppid}`, 1, 3],
      ["elsewhere:1", 4, 2, "error"],
      ["elsewhere:2", 2, 2],
    ];
    for (const [node, hours, waiting] of writers)
      await app.query(
        `insert into chronicle.activity_writer (run, node, waiting, queue, seen_at)
        values (gen_random_uuid(), $1, $2, 10, now() - make_interval(hours => $3))`,
        [node, waiting, hours],
      );
    const expected = writers.flatMap(([node, , waiting, severity]) =>
      severity === undefined ? [] : [{ node, severity, lost: { atLeast: waiting, atMost: 10 } }],
    );
    const told = async () =>
      (await rows<{ severity: string; details: LostDetails }>(app, "action = 'gap' and details ? 'lost'"))
        .map(({ severity, details: { node, lost } }) => ({ node, severity, lost }))
        .filter(({ node }) => writers.some(([own]) => own === node));
    const dataSource = await open(app.database.url, {});
    try {
      await dataSource.query("select 1"); // with its first query, the log starts
      await until(async () => (await told()).length >= expected.length, "the gap entries");
      expect(await told()).to.have.deep.members(expected);
      const left = await app.query<{ node: string }>("select node from chronicle.activity_writer");
      const nodes = left.map(({ node }) => node);
      expect(writers.flatMap(([node, , , isTold]) => (isTold ? [] : [node]))).to.deep.equal(
        nodes.filter((node) => writers.some(([own]) => own === node)),
      );
    } finally {
      await app.query("delete from chronicle.activity_writer where node = any ($1)", [writers.map(([node]) => node)]);
      await dataSource.destroy();
    }
  });

  it("keeps what the queue has no room for in the spool while the database is away", async () => {
    const run = "spilled";
    const writer = await Writer.start(proxy.url, run, folder, 1_500);
    await until(() => writer.numbers.length > 100, "some entries");
    proxy.stop();
    await until(() => writer.numbers.length > 900, "more than the queue holds");
    proxy.restart();
    await writer.end();
    expect(missing(writer.numbers, await stored(run))).to.deep.equal([]);
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("writes what waits when a signal ends the process, where asked", async () => {
    const writer = await Writer.start(app.database.url, "signal", "-");
    await until(() => writer.numbers.length > 200, "some entries");
    await writer.end("SIGTERM");
    const found = await stored("signal");
    // The last ones were recorded after the flush that the signal began had taken its last batch.
    expect(missing(writer.numbers, found).length).to.be.at.most(20);
    expect(found.length).to.be.greaterThan(200);
  });
});
