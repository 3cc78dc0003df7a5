/**
 * `npm run mutants [-- name …]`: the suite proves itself. Each patch of test/mutants breaks capture or replay in one line. It is
 * applied to a copy of this checkout, which is built, and the tests that the patch names run until one fails. They have to pass
 * as they are first: a test that fails anyway catches nothing. Exits 1 where a mutant survives or proves nothing.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import Table from "cli-table3";
import { startPostgres } from "./postgres.mjs";
import { ROOT } from "./bootstrap/root.mjs";

const folder = join(ROOT, "test/mutants");
/** A fixed seed, so that a mutant is caught by the same history each time. */
const environment = { ...process.env, HISTORY_SEED: "7", HISTORY_RUNS: "25", FORCE_COLOR: "0" };

/** @typedef {{ passed: number, failure?: string, report?: string | undefined }} Outcome  how many tests passed before the one that failed, and what it said */
/** @typedef {{ name: string, what: string, tests: string[], text: string }} Mutant */

/** @param {string} cwd @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(cwd, command, args, env = environment) {
  return spawnSync(command, args, { cwd, env, encoding: "utf8", maxBuffer: 1e8 });
}

/**
 * Runs a file or folder of tests of a built checkout until one fails.
 * @param {string} checkout @param {string} test @param {string} url
 * @returns {Outcome}
 */
function runTest(checkout, test, url) {
  const files = test.endsWith(".ts") ? join("dist", test.replace(/\.ts$/, ".js")) : join("dist", test, "**/*.test.js");
  const mocha = ["--enable-source-maps", "node_modules/mocha/bin/mocha.js", "--bail", files];
  const { stdout, stderr, status } = run(checkout, process.execPath, mocha, { ...environment, DATABASE_URL: url });
  const passed = Number(/(\d+) passing/.exec(stdout)?.[1] ?? 0);
  const [report, title] = /\n {2}1\) ([^]*?):\n[^]*/.exec(stdout) ?? [];
  if (title === undefined) {
    if (status !== 0 || passed === 0) throw new Error(`${test} did not run:\n${stdout}\n${stderr}`);
    return { passed };
  }
  const [, path] = /HISTORY_PATH=(\d+)/.exec(stdout) ?? [];
  const history = path === undefined ? "" : `, at history ${Number(path) + 1}`;
  return { passed, failure: title.replaceAll(/\s+/g, " ").trim() + history, report };
}

/** @returns {Mutant[]} */
function readMutants() {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".patch"))
    .map((file) => file.replace(/\.patch$/, ""));
  return names.map((name) => {
    const text = readFileSync(join(folder, `${name}.patch`), "utf8");
    const [, what = "", tests = ""] = /^(.+)\ntests: (.+)$/m.exec(text) ?? [];
    return { name, what, tests: tests.split(" "), text };
  });
}

/**
 * The first test that fails on a copy of this checkout with the mutant in it, and the how manieth it was; undefined where none does.
 * @param {Mutant} mutant @param {string} url
 */
function judge({ name, tests, text }, url) {
  const copy = mkdtempSync(join(tmpdir(), "typeorm-chronicle-mutant-"));
  try {
    const left = new Set(["node_modules", ".git"]);
    cpSync(ROOT, copy, { recursive: true, filter: (path) => !left.has(basename(path)) });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const patch = ["-p1", "--fuzz=1", "--no-backup-if-mismatch", "-i", join(folder, `${name}.patch`)];
    const applied = run(copy, "patch", patch);
    if (applied.status !== 0) throw new Error(`does not apply any more:\n${applied.stdout}`);
    // What a mutant leaves unused is no fault of it.
    const tsc = ["node_modules/typescript/bin/tsc", "-p", ".", "--pretty", "false", "--noUnusedLocals", "false"];
    const built = run(copy, process.execPath, tsc);
    if (built.status !== 0) throw new Error(`does not compile:\n${built.stdout}\n${text}`);
    let before = 0;
    for (const test of tests) {
      const { passed, failure } = runTest(copy, test, url);
      if (failure !== undefined) return { failure, run: before + passed + 1 };
      before += passed;
    }
    return undefined;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2);
const all = readMutants();
const unknown = asked.filter((name) => !all.some((mutant) => mutant.name === name));
if (unknown.length > 0) {
  console.error(`There is no mutant ${unknown.join(", ")}. There are: ${all.map(({ name }) => name).join(", ")}`);
  process.exit(1);
}
const mutants = all.filter(({ name }) => asked.length === 0 || asked.includes(name));
const table = new Table({
  head: ["mutant", "", "by", "run"],
  style: { head: [], border: [] },
  colWidths: [32, 10, 80, 6],
  wordWrap: true,
});
let caught = 0;
const postgres = await startPostgres();
try {
  /** Tests that pass as they are. */
  const control = new Map();
  for (const test of new Set(mutants.flatMap(({ tests }) => tests))) {
    const { passed, failure, report } = runTest(ROOT, test, postgres.url);
    control.set(test, failure);
    console.error(failure === undefined ? `control: ${test} passes (${passed})` : `control: ${test} FAILS:${report}`);
  }
  for (const mutant of mutants) {
    const { name, what, tests } = mutant;
    const failing = tests.filter((test) => control.get(test) !== undefined);
    let row = [name, "no proof", `${failing.join(", ")} fails without it`, ""];
    try {
      const found = failing.length > 0 ? undefined : judge(mutant, postgres.url);
      if (found !== undefined) {
        caught++;
        row = [name, "caught", `${what}\n→ ${found.failure}`, String(found.run)];
      } else if (failing.length === 0) row = [name, "SURVIVED", what, ""];
    } catch (error) {
      row = [name, "no proof", error instanceof Error ? error.message.slice(0, 400) : String(error), ""];
    }
    table.push(row);
    console.error(`${row[1]} ${name}`);
  }
} finally {
  await postgres.stop();
}
console.log(table.toString());
console.log(`${caught} caught, ${mutants.length - caught} not`);
process.exitCode = caught === mutants.length && mutants.length > 0 ? 0 : 1;
