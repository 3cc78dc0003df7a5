import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { TrackedApplication } from "../tracked-application.js";
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

  const gapsOf = (pid: number) =>
    rows<{ details: { dropped: number }; severity: string }>(
      app,
      `action = 'gap' and details ? 'dropped' and node like '%:${pid}'`,
    );
  const droppedBy = async (pid: number) => (await gapsOf(pid)).reduce((sum, { details }) => sum + details.dropped, 0);

  it(`loses nothing with a spool: ${kills} kills at random moments, the database stalled, stopped and restarted meanwhile`, async () => {
    let recorded = 0;
    let underFault = 0;
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
      expect(await readdir(folder), "files left").to.deep.equal([]);
    }
    console.log(`      ${kills} kills, ${underFault} of them under a fault, ${recorded} entries recorded, 0 lost`);
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
