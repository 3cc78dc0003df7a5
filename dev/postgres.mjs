import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findPostgres } from "./postgres/find.mjs";

/**
 * A running server. Where `DATABASE_URL` names it, it is not ours: `stop()` leaves it alone and only `url` is known.
 * @typedef {object} RunningPostgres
 * @property {string} url            connects as the superuser `postgres`, or what `DATABASE_URL` says
 * @property {string | null} version such as "18.4"
 * @property {string} origin         where the server came from: "DATABASE_URL", "PG_BIN", "embedded" or "system"
 * @property {string | null} bin     the folder that holds `postgres` and `initdb`
 * @property {number | null} port
 * @property {string | null} dataDir
 * @property {number | null} pid     of the server
 * @property {() => Promise<void>} crash   stops it at once, without a checkpoint, and starts it again on the same port
 * @property {() => Promise<void>} stop    stops the server and removes its folder; may be called again
 */

/**
 * @typedef {object} StartOptions
 * @property {"any" | "own"} [server]   "own" starts one even where `DATABASE_URL` is set. (Default: "any")
 * @property {number} [version]         the major version wanted. (Default: the first server found)
 * @property {Record<string, string | number>} [settings]   server settings; they win over the launcher's own
 * @property {NodeJS.ProcessEnv} [env]  (Default: `process.env`)
 * @property {(line: string) => void} [onProgress]   told in one line what is about to start
 */

/** Durability is off: the data folder never outlives the process that asked for it. */
const DEFAULT_SETTINGS = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: 200,
};

/**
 * Starts a PostgreSQL of our own and waits until it takes connections, about a second.
 * The server stops and its folder goes when `stop()` is called or this process ends, by whatever end.
 * @param {StartOptions} [options]
 * @returns {Promise<RunningPostgres>}
 * @throws {Error} when no PostgreSQL is found (the message lists where it was looked for) or it does not start
 */
export async function startPostgres({ server = "any", version, settings = {}, env = process.env, onProgress } = {}) {
  if (server === "any" && env.DATABASE_URL) return namedByUrl(env.DATABASE_URL);

  const found = findPostgres({ env, version });
  onProgress?.(`starting PostgreSQL ${found.version} (${found.origin}) …`);

  const supervisor = spawn(process.execPath, [fileURLToPath(new URL("./postgres/supervisor.mjs", import.meta.url))], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
    windowsHide: true,
    env: { ...env, NODE_OPTIONS: "", NODE_V8_COVERAGE: "" },
  });
  const { stdin, stdout } = supervisor;
  // A supervisor that is gone is told by its exit, not by a broken pipe.
  stdin.on("error", () => {});
  const exited = once(supervisor, "exit");
  stdin.write(JSON.stringify({ found, settings: { ...DEFAULT_SETTINGS, ...settings } }) + "\n");

  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const started = await nextAnswer(lines);
  if (started.error) {
    stdin.end();
    await exited;
    throw new Error(started.error);
  }

  // From here on the pipe alone holds the server: a caller that forgets stop() can still end.
  supervisor.unref();
  unref(stdin);
  unref(stdout);

  return {
    url: `postgres://postgres@127.0.0.1:${started.port}/postgres`,
    version: found.version,
    origin: found.origin,
    bin: found.bin,
    port: started.port,
    dataDir: started.dataDir,
    pid: started.pid,
    async crash() {
      stdin.write("crash\n");
      const waiting = setInterval(() => {}, 60_000); // nothing else keeps this process here
      const { error } = await nextAnswer(lines).finally(() => clearInterval(waiting));
      if (error) throw new Error(error);
    },
    async stop() {
      supervisor.ref();
      stdin.end();
      await exited;
    },
  };
}

/**
 * @param {string} url
 * @returns {RunningPostgres}
 */
function namedByUrl(url) {
  return {
    url,
    version: null,
    origin: "DATABASE_URL",
    bin: null,
    port: null,
    dataDir: null,
    pid: null,
    crash: () => Promise.reject(new Error("A server that DATABASE_URL names is not ours to stop.")),
    stop: () => Promise.resolve(),
  };
}

/** @param {AsyncIterator<string>} lines  of the process that looks after the server */
async function nextAnswer(lines) {
  const { value, done } = await lines.next();
  return done ? { error: "the process that looks after PostgreSQL ended" } : JSON.parse(value);
}

/** @param {object} stream  a socket where Node runs, which its type does not say */
function unref(stream) {
  if ("unref" in stream && typeof stream.unref === "function") stream.unref();
}
