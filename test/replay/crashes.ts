import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunningPostgres } from "../../dev/postgres.mjs";
import { startPostgres } from "../../dev/postgres.mjs";
import { createDatabase, query } from "../database.js";
import { differencesOf, type LiveRows, readLiveRows } from "../live-rows.js";
import { Ledger } from "./ledger.js";

export interface CrashResult {
  readonly crashes: number;
  /** Crashes that hit the replay before it was committed. */
  readonly before: number;
  /** What was other than it should be: none is expected. */
  readonly failures: readonly string[];
}

const rows = 1_000;

/** A ledger with a past: what a replay there changes is every row, and its log is small enough to do it often. */
async function ledgerWithPast(url: string): Promise<{ ledger: Ledger; past: LiveRows }> {
  const ledger = await Ledger.open(url, { accounts: rows, poolSize: 4 });
  await ledger.dataSource.query(
    `insert into transfer ("fromId", "toId", amount) select n, n % ${rows} + 1, 1 from generate_series(1, ${rows}) n`,
  );
  await ledger.log.bookmark("past");
  const past = await readLiveRows(url);
  await write(ledger);
  return { ledger, past };
}

/** Changes every row, so that there is a way back. */
async function write({ dataSource }: Ledger): Promise<void> {
  await dataSource.query("update account set balance = balance + 1");
  await dataSource.query("update transfer set amount = amount + 1");
  await dataSource.query("delete from transfer where id % 7 = 0");
  await dataSource.query(`insert into transfer ("fromId", "toId", amount) select 1, 2, 3 from generate_series(1, 100)`);
}

/** After a crash: the rows are those before it or those of the past, whole, and the log agrees. Then a way back is made anew. */
async function checkCrash(ledger: Ledger, before: LiveRows, past: LiveRows, failures: string[]): Promise<boolean> {
  const now = await readLiveRows(ledger.url);
  const untouched = differencesOf(now, before).length === 0;
  const done = differencesOf(now, past).length === 0;
  if (!untouched && !done)
    failures.push(`rows that are neither those before nor those after: ${differencesOf(now, before)[0]}`);
  const { differences } = await ledger.log.verify();
  failures.push(...differences.map((difference) => `verify: ${JSON.stringify(difference)}`));
  const off = await query(ledger.url, "select tgname from pg_trigger where not tgisinternal and tgenabled = 'D'");
  if (off.length > 0) failures.push(`${off.length} triggers are disabled`);
  if (done) await write(ledger);
  return untouched;
}

/** Kills processes that replay, at random moments of their replays. */
export async function killReplayingProcesses({
  kills,
  onProgress,
}: {
  kills: number;
  onProgress?: (done: number) => void;
}): Promise<CrashResult> {
  const database = await createDatabase();
  const { ledger, past } = await ledgerWithPast(database.url);
  const failures: string[] = [];
  let [before, crashes] = [0, 0];
  const started = performance.now();
  await ledger.log.replay({ bookmark: "past" });
  const duration = performance.now() - started;
  await write(ledger);
  while (crashes < kills) {
    const rowsBefore = await readLiveRows(database.url);
    const child = spawn(process.execPath, [fileURLToPath(new URL("./replaying-process.js", import.meta.url))], {
      env: { ...process.env, LEDGER_URL: database.url },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    await sleep(Math.random() * duration);
    if (child.exitCode === null) crashes++;
    child.kill("SIGKILL");
    await exited;
    await noneLeft(database.url);
    if (await checkCrash(ledger, rowsBefore, past, failures)) before++;
    onProgress?.(crashes);
  }
  await ledger.close();
  await database.drop();
  return { crashes, before, failures };
}

/** Waits until the server has noticed that the process is gone. */
async function noneLeft(url: string): Promise<void> {
  const others =
    "select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()";
  while ((await query(url, others)).length > 0) await sleep(20);
}

/** Stops a server of our own at once, as a power cut would, at random moments of replays, and starts it again. */
export async function stopServers({
  stops,
  onProgress,
}: {
  stops: number;
  onProgress?: (done: number) => void;
}): Promise<CrashResult> {
  // What was acknowledged must be on its way to disk: without it, a stop may take back the writes before the replay.
  const server = await startPostgres({ server: "own", settings: { synchronous_commit: "on", full_page_writes: "on" } });
  const restarted = new RestartedServer(server);
  const failures: string[] = [];
  let [before, crashes] = [0, 0];
  try {
    const made = await ledgerWithPast(server.url);
    let { ledger } = made;
    const started = performance.now();
    await ledger.log.replay({ bookmark: "past" });
    const duration = performance.now() - started;
    await write(ledger);
    while (crashes < stops) {
      const rowsBefore = await readLiveRows(server.url);
      const replay = ledger.log.replay({ bookmark: "past" }).catch(() => "stopped");
      await sleep(Math.random() * duration);
      await restarted.stopAtOnce();
      if ((await replay) === "stopped") crashes++;
      await ledger.close().catch(() => undefined);
      await restarted.start();
      ledger = await Ledger.open(server.url, { accounts: 0 });
      if (await checkCrash(ledger, rowsBefore, made.past, failures)) before++;
      onProgress?.(crashes);
    }
    await ledger.close();
  } finally {
    await restarted.stopAtOnce();
    await server.stop();
  }
  return { crashes, before, failures };
}

/** The server process of a started PostgreSQL, and those that took its place on the same folder and port. */
class RestartedServer {
  #pid: number;

  constructor(private readonly server: RunningPostgres) {
    this.#pid = server.pid ?? 0;
  }

  /** SIGQUIT is PostgreSQL's immediate shutdown: nothing is written any more, the next start recovers. */
  async stopAtOnce(): Promise<void> {
    if (!isAlive(this.#pid)) return;
    process.kill(this.#pid, "SIGQUIT");
    while (isAlive(this.#pid)) await sleep(10);
  }

  async start(): Promise<void> {
    const { bin, dataDir, port, url } = this.server;
    const { uid, gid } = statSync(dataDir ?? "");
    const settings = { port, listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off" };
    const child = spawn(
      join(bin ?? "", "postgres"),
      ["-D", dataDir ?? "", ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      { stdio: "ignore", cwd: dataDir ?? "", ...(process.getuid?.() === 0 ? { uid, gid } : {}) },
    );
    child.unref();
    this.#pid = child.pid ?? 0;
    for (;;) {
      try {
        await query(url, "select 1");
        return;
      } catch {
        await sleep(30);
      }
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
