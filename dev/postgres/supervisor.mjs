/**
 * Looks after one server, as a process of its own. It is told what to start in one line on stdin, answers with one line
 * on stdout, lets the server crash and come back at each line after that, answered too, and stops the server and removes its folder when stdin ends: by stop(), or by the death of whoever held
 * the other end of the pipe, SIGKILL included.
 */
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { reachableTmp } from "./copy.mjs";
import { Server } from "./server.mjs";

/** @type {{ found: import("./find.mjs").FoundPostgres, settings: Record<string, string | number> } | undefined} */
let order;
/** @type {Server | undefined} */
let server;
/** @type {string | undefined} */
let folder;

/** @param {import("./find.mjs").FoundPostgres} found */
function makeFolder({ user }) {
  const made = mkdtempSync(join(reachableTmp(user), "typeorm-chronicle-pg-"));
  chmodSync(made, 0o700);
  if (user) chownSync(made, user.uid, user.gid);
  return made;
}

/** @param {string} line */
async function start(line) {
  order = JSON.parse(line);
  if (order === undefined) return;
  try {
    folder = makeFolder(order.found);
    server = new Server({ ...order.found, folder, settings: order.settings });
    await server.start();
    answer({ port: server.port, pid: server.pid, dataDir: server.dataDir });
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
  }
}

async function crash() {
  try {
    await server?.crash();
    answer({ pid: server?.pid });
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** @param {object} message */
function answer(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

async function end() {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  process.exit(0);
}

/** @type {Promise<void> | undefined} */
let ending;
const endOnce = () => void (ending ??= end());

// The one that reads our answer may be gone.
process.stdout.on("error", () => {});
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP"])) process.on(signal, endOnce);
createInterface({ input: process.stdin })
  .on("line", (line) => void (order === undefined ? start(line) : crash()))
  .once("close", endOnce);
