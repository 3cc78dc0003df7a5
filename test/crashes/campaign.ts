import { expect } from "chai";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import pg from "pg";
import { type RunningPostgres, startPostgres } from "../../dev/postgres.mjs";
import { eventLog } from "../../src/index.js";
import { createDatabase, type TestDatabase } from "../database.js";
import { expectSameRows, readLiveRows } from "../live-rows.js";
import { newDataSource } from "../tracked-application.js";
import { type Cut, CuttingProxy } from "./cutting-proxy.js";
import { Account, accounts, Entry } from "./entities.js";
import { Ledger } from "./ledger.js";
import type { Told } from "./writer.js";

export const faults = [
  "kill writer",
  "stop server",
  "kill backend",
  "terminate backend",
  "cut",
  "lose answer",
] as const;
export type Fault = (typeof faults)[number];

export interface FaultCounts {
  struck: number;
  /** How many found a transaction open that had written. */
  inTransaction: number;
  /** The longest time from when the server took connections again to the next acknowledged commit, in milliseconds. */
  slowestMs: number;
}

/** A strike counts after this many commits since the last. */
const commitsBefore = 20;
const progressWithinMs = 60_000;

/** Writers under load on a cluster of their own, which is durable, and faults that strike it. */
export class Campaign {
  readonly ledger = new Ledger();
  #writer: ChildProcess | undefined;
  #spare: ChildProcess | undefined;
  #writers = 0;
  #ended: { code: number | null; signal: string | null } | undefined;
  #lastDone = "";

  private constructor(
    private readonly cluster: RunningPostgres,
    private readonly database: TestDatabase,
    private readonly proxy: CuttingProxy,
  ) {}

  static async start(): Promise<Campaign> {
    const settings = { fsync: "on", full_page_writes: "on", synchronous_commit: "on", checkpoint_timeout: "30s" };
    const cluster = await startPostgres({ server: "own", settings });
    const database = await createDatabase({ server: cluster.url });
    const dataSource = newDataSource(database.url, [Account, Entry], { synchronize: true });
    await dataSource.initialize();
    await eventLog(dataSource).install();
    await dataSource.manager.insert(
      Account,
      Array.from({ length: accounts }, (_, index) => ({ id: index + 1 })),
    );
    await dataSource.destroy();
    const campaign = new Campaign(cluster, database, await CuttingProxy.start(database.url));
    await campaign.#startWriter();
    return campaign;
  }

  /** Strikes as often as asked, and checks after each strike. */
  async strike(fault: Fault, times: number, onProgress?: (done: number) => void): Promise<FaultCounts> {
    const counts: FaultCounts = { struck: 0, inTransaction: 0, slowestMs: 0 };
    while (counts.struck < times) {
      await this.#commits(commitsBefore);
      await pause(Math.random() * 40);
      const open = await this.#strikeOnce(fault);
      await this.#withDatabase((client) => client.query("select"));
      const struck = performance.now();
      await this.#commits(1);
      counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - struck));
      counts.struck++;
      if (open) counts.inTransaction++;
      await this.#withDatabase((client) => this.ledger.expectKept(client));
      onProgress?.(counts.struck);
    }
    return counts;
  }

  /** Stops the writers and proves that the log's fold is what the tables hold: into tables that were emptied behind its back. */
  async prove(): Promise<void> {
    await this.#stopWriter();
    await this.#withDatabase((client) => this.ledger.expectKept(client));
    const rows = await readLiveRows(this.database.url);
    const wipe = ["entry", "account"].map(
      (table) =>
        `alter table ${table} disable trigger all; delete from ${table}; alter table ${table} enable trigger all`,
    );
    await this.#withDatabase((client) => client.query(`begin; ${wipe.join("; ")}; commit`));
    const dataSource = newDataSource(this.database.url, [Account, Entry]);
    await dataSource.initialize();
    try {
      await eventLog(dataSource).replay();
      expectSameRows(await readLiveRows(this.database.url), rows, "after a replay into empty tables");
      expect((await eventLog(dataSource).verify()).differences).to.deep.equal([]);
    } finally {
      await dataSource.destroy();
    }
  }

  async stop(): Promise<void> {
    await this.#stopWriter();
    this.#spare?.kill("SIGKILL");
    await this.proxy.stop();
    await this.cluster.stop();
  }

  /** Returns whether a transaction was open that had written. */
  async #strikeOnce(fault: Fault): Promise<boolean> {
    switch (fault) {
      case "kill writer": {
        const open = (await this.#busyBackends()).length > 0;
        await this.#killWriter();
        await this.#startWriter();
        return open;
      }
      case "stop server": {
        const open = (await this.#busyBackends()).length > 0;
        await this.cluster.crash();
        return open;
      }
      case "kill backend":
      case "terminate backend": {
        const busy = await this.#busyBackends();
        const pid = busy[Math.floor(Math.random() * busy.length)] ?? (await this.#anyBackend());
        if (fault === "kill backend") process.kill(pid, "SIGKILL");
        else await this.#withDatabase((client) => client.query("select pg_terminate_backend($1)", [pid]));
        return busy.length > 0;
      }
      case "cut": {
        const cuts: readonly Cut[] = ["before", "after", "answer lost"];
        await this.proxy.cut(1 + Math.floor(Math.random() * 30), cuts[Math.floor(Math.random() * 3)] ?? "before");
        return (await this.#busyBackends()).length > 0;
      }
      case "lose answer":
        await this.proxy.cut(1 + Math.floor(Math.random() * 5), "answer lost", (message) => message.includes("COMMIT"));
        return true;
    }
  }

  /** Backends of the writers whose transaction has written. */
  async #busyBackends(): Promise<number[]> {
    return this.#withDatabase(async (client) => {
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_xid is not null",
      );
      return rows.map(({ pid }) => pid);
    });
  }

  async #anyBackend(): Promise<number> {
    return this.#withDatabase(async (client) => {
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() limit 1",
      );
      return rows[0]?.pid ?? expect.fail("the writers have no backend");
    });
  }

  /** Waits until so many transactions more were acknowledged. The writer's own death is a fault of ours. */
  async #commits(more: number): Promise<void> {
    const wanted = this.ledger.done + more;
    const until = performance.now() + progressWithinMs;
    while (this.ledger.done < wanted) {
      if (this.#ended !== undefined) expect.fail(`the application's process ended: ${JSON.stringify(this.#ended)}`);
      if (performance.now() > until) expect.fail(`no progress within ${progressWithinMs} ms, after ${this.#lastDone}`);
      await pause(2);
    }
  }

  /** Sends in the writer that waits, and lets another one get ready: starting one takes longer than anything else here. */
  async #startWriter(): Promise<void> {
    this.#writer = this.#spare ?? (await this.#newWriter());
    this.#ended = undefined;
    this.#writer.send("go");
    this.#spare = await this.#newWriter();
  }

  async #newWriter(): Promise<ChildProcess> {
    const name = `w${++this.#writers}`;
    const writer = fork(new URL("writer.js", import.meta.url), [this.proxy.url, name, "4"], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    writer.on("message", (told: Told) => {
      this.ledger.note(told);
      if ("done" in told) this.#lastDone = told.done;
    });
    writer.once("exit", (code, signal) => {
      this.ledger.loseWriter(name);
      if (this.#writer === writer) this.#ended = { code, signal };
    });
    await once(writer, "spawn");
    return writer;
  }

  async #killWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined || writer.exitCode !== null) return;
    const closed = once(writer, "close");
    writer.kill("SIGKILL");
    await closed;
  }

  async #stopWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined || writer.exitCode !== null || writer.signalCode !== null) return;
    const closed = once(writer, "close");
    writer.send("stop");
    await closed;
  }

  /** A connection past the proxy, tried again while the server comes back. */
  async #withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = new pg.Client({ connectionString: this.database.url });
      client.on("error", () => undefined);
      try {
        await client.connect();
        return await work(client);
      } catch (error) {
        const state = (error as { code?: string }).code ?? "";
        const away = /^(?:57P|08|ECONN|EPIPE)/.test(state) || /terminated/.test(String(error));
        if (!away || attempt === 300) throw error;
        await pause(100);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
