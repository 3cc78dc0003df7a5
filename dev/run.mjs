/**
 * `node dev/run.mjs start|test|bench|soak|build [arguments]`: what a fresh clone needs to run, with Node alone.
 * Installs and builds what is missing or out of date, starts a PostgreSQL where none is given, runs the target, stops
 * the server, and ends with the target's exit code. All it says itself goes to stderr.
 */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { build, isBuilt } from "./bootstrap/build.mjs";
import { checkNode } from "./bootstrap/check-node.mjs";
import { Failure, say } from "./bootstrap/failure.mjs";
import { install, isInstalled } from "./bootstrap/install.mjs";
import { withLock } from "./bootstrap/lock.mjs";
import { ROOT } from "./bootstrap/root.mjs";
import { startPostgres } from "./postgres.mjs";

/** What a target is run with, after `node`. @type {Record<string, (args: string[]) => string[]>} */
const TARGETS = {
  start: (args) => ["--enable-source-maps", "dist/examples/countries/main.js", ...args],
  test: (args) => ["--enable-source-maps", "node_modules/mocha/bin/mocha.js", ...testArguments(args)],
  bench: (args) => ["dist/bench/main.js", ...args],
  soak: (args) => ["--enable-source-maps", "dist/test/soak/main.js", ...args],
};

/** Benchmarks run on a server that is as durable as the ones that users have: without it, a commit costs next to nothing. */
const DURABLE = { fsync: "on", synchronous_commit: "on", full_page_writes: "on" };

/** @param {string[]} argv */
async function main([command = "", ...args]) {
  const target = TARGETS[command];
  if (!target && command !== "build")
    throw new Failure("Usage: node dev/run.mjs start|test|bench|soak|build [arguments]");
  checkNode();
  process.chdir(ROOT);

  if (!isInstalled() || !isBuilt()) {
    const onWait = () => say("waiting for another run in this folder to install or build …");
    await withLock(
      async () => {
        if (!isInstalled()) await install();
        if (!isBuilt()) await build();
      },
      { onWait },
    );
  }
  return target ? await runTarget(target(args), command === "bench" ? DURABLE : {}) : 0;
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} settings  of the server
 */
async function runTarget(args, settings) {
  const script = args.find((arg) => !arg.startsWith("-"));
  if (script && !existsSync(script)) throw new Failure(`There is no ${script} to run.`);

  const postgres = await startPostgres({ settings, onProgress: say }).catch((error) => {
    throw new Failure(error.message);
  });
  try {
    return await run(args, { ...process.env, DATABASE_URL: postgres.url });
  } finally {
    await postgres.stop();
  }
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code, as a shell would tell it
 */
function run(args, env) {
  const child = spawn(process.execPath, args, { stdio: "inherit", env });
  const forward = forwardSignals(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      forward.end();
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

/**
 * Lets the target end in its own way, so that the server is stopped after it and not under it.
 * @param {import("node:child_process").ChildProcess} child
 */
function forwardSignals(child) {
  const forwarding = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]).map((signal) => {
    // A terminal's Ctrl-C reaches the child without us; sent again at once it would read as impatience.
    const delayMs = signal === "SIGINT" ? 500 : 0;
    const listener = () => void setTimeout(() => child.kill(signal), delayMs);
    process.on(signal, listener);
    return { signal, listener };
  });
  return { end: () => forwarding.forEach(({ signal, listener }) => process.off(signal, listener)) };
}

/**
 * mocha's own arguments, with test files named by their sources; all tests where none is named.
 * @param {string[]} args
 */
function testArguments(args) {
  const named = args.map((arg) => {
    const path = arg.replace(/^\.\//, "");
    if (/^test\/.*\.test\.ts$/.test(path)) return join("dist", path.replace(/\.ts$/, ".js"));
    if (/^test(\/|$)/.test(path) && existsSync(path) && statSync(path).isDirectory()) {
      return join("dist", path, "**/*.test.js");
    }
    return arg;
  });
  const namesFiles = named.some((arg) => arg.endsWith(".test.js"));
  return namesFiles ? named : [...named, "dist/test/**/*.test.js"];
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  },
);
