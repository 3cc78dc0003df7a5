import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const READY_WITHIN_MS = 60_000;
const FAST_STOP_WITHIN_MS = 5_000;
const IMMEDIATE_STOP_WITHIN_MS = 3_000;
/** Another process may take the port between our finding it free and the server's binding it. */
const PORT_ATTEMPTS = 5;

/** One data folder and the server on it. Every child is ended by stop(), at whatever point of start() it comes. */
export class Server {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #running;
  #stopping = false;
  #log;
  #options;
  port = 0;

  /**
   * @param {import("./installation.mjs").Installation & {
   *   folder: string, settings: Record<string, string | number> }} options
   */
  constructor(options) {
    this.#options = options;
    this.#log = join(options.folder, "server.log");
    this.dataDir = join(options.folder, "data");
  }

  get pid() {
    return this.#running?.pid;
  }

  async start() {
    await this.#makeDataFolder();
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort();
      if (await this.#becomesReady()) return;
      const log = this.#lastLines();
      if (attempt < PORT_ATTEMPTS && !this.#stopping && /could not bind/.test(log)) continue;
      throw new Error(`PostgreSQL ${this.#options.version} did not start. Its last lines:\n${log}`);
    }
  }

  async stop() {
    this.#stopping = true;
    const child = this.#running;
    if (!child || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    // Windows knows no signals: there each of them ends the process at once, which suits a folder that goes anyway.
    child.kill("SIGINT");
    if (await within(FAST_STOP_WITHIN_MS, ended)) return;
    child.kill("SIGQUIT");
    if (await within(IMMEDIATE_STOP_WITHIN_MS, ended)) return;
    child.kill("SIGKILL");
    await ended;
  }

  /** Stops it as `pg_ctl stop -m immediate` would, without a checkpoint, and starts it again on the same port. */
  async crash() {
    const child = this.#running;
    if (child && !hasEnded(child)) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGQUIT");
      await ended;
    }
    if (!(await this.#becomesReady())) {
      throw new Error(`PostgreSQL did not start again. Its last lines:\n${this.#lastLines()}`);
    }
  }

  async #makeDataFolder() {
    const { version } = this.#options;
    const args = ["-D", this.dataDir, "--no-sync", "--no-locale", "-E", "UTF8", "-A", "trust", "-U", "postgres"];
    const child = this.#run("initdb", args);
    const code = await endOf(child);
    if (code !== 0) {
      throw new Error(`initdb of PostgreSQL ${version} failed (${code}). Its last lines:\n${this.#lastLines()}`);
    }
  }

  async #becomesReady() {
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      ...this.#options.settings,
      port: this.port,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = this.#run("postgres", ["-D", this.dataDir, ...args]);
    const until = Date.now() + READY_WITHIN_MS;
    while (Date.now() < until && !hasEnded(child)) {
      if (this.#saysReady(child.pid)) return true;
      await sleep(15);
    }
    child.kill("SIGKILL");
    return false;
  }

  /**
   * The server keeps its state in the eighth line of its pid file, in no language but its own.
   * @param {number | undefined} pid
   */
  #saysReady(pid) {
    try {
      const lines = readFileSync(join(this.dataDir, "postmaster.pid"), "utf8").split("\n");
      return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
    } catch {
      return false;
    }
  }

  /**
   * @param {string} name
   * @param {string[]} args
   */
  #run(name, args) {
    if (this.#stopping) throw new Error("stopped while starting");
    const { bin, user, folder } = this.#options;
    const log = openSync(this.#log, "a");
    try {
      this.#running = spawn(join(bin, name), args, {
        cwd: folder,
        env: neutralEnvironment(),
        stdio: ["ignore", log, log],
        windowsHide: true,
        ...user,
      });
    } finally {
      closeSync(log);
    }
    // Told by endOf() and hasEnded().
    this.#running.on("error", () => {});
    return this.#running;
  }

  #lastLines() {
    return readFileSync(this.#log, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  }
}

/** Without what would send the server elsewhere (PGDATA, PGPORT …), and with messages in one language. */
function neutralEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/i.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: "C" };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** @param {import("node:child_process").ChildProcess} child */
function hasEnded(child) {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number | string>} the exit code, the signal, or why it never ran
 */
function endOf(child) {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "ended"));
  });
}

/**
 * @param {number} ms
 * @param {Promise<unknown>} happening
 * @returns {Promise<boolean>}
 */
async function within(ms, happening) {
  const late = new AbortController();
  const inTime = happening.then(() => true);
  const tooLate = sleep(ms, false, { signal: late.signal }).catch(() => false);
  try {
    return await Promise.race([inTime, tooLate]);
  } finally {
    late.abort();
  }
}
