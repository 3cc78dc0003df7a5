/**
 * `npm run mutants [name …]`: the suite proves itself. Each patch of test/mutants breaks capture or replay in one line. It is
 * applied to a copy of this checkout, which is built, and the tests that the patch names run until one fails. Exits 1 where none does.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { startPostgres } from "./postgres.mjs";
import { ROOT } from "./bootstrap/root.mjs";

const folder = join(ROOT, "test/mutants");
/** A fixed seed, so that a mutant is caught by the same history each time. */
const environment = { ...process.env, HISTORY_SEED: "7", HISTORY_RUNS: "25", FORCE_COLOR: "0" };

/** @param {string} copy @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(copy, command, args, env = environment) {
  return spawnSync(command, args, { cwd: copy, env, encoding: "utf8", maxBuffer: 1e8 });
}

/**
 * @param {string} name
 * @param {string} url
 * @returns {string | undefined} the test that caught it, or undefined
 */
function judge(name, url) {
  const patch = join(folder, `${name}.patch`);
  const [, tests = ""] = /^tests: (.+)$/m.exec(readFileSync(patch, "utf8")) ?? [];
  const copy = mkdtempSync(join(tmpdir(), "typeorm-chronicle-mutant-"));
  try {
    const left = new Set(["node_modules", ".git"]);
    cpSync(ROOT, copy, { recursive: true, filter: (path) => !left.has(basename(path)) });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const applied = run(copy, "patch", ["-p1", "--fuzz=1", "--no-backup-if-mismatch", "-i", patch]);
    if (applied.status !== 0) throw new Error(`${name}.patch does not apply any more:\n${applied.stdout}`);
    const built = run(copy, process.execPath, ["node_modules/typescript/bin/tsc", "-p", "."]);
    if (built.status !== 0) throw new Error(`${name}.patch does not compile:\n${built.stdout}`);
    const mocha = ["--enable-source-maps", "node_modules/mocha/bin/mocha.js", "--bail"];
    let passed = 0;
    for (const test of tests.split(" ")) {
      const files = test.endsWith(".ts")
        ? join("dist", test.replace(/\.ts$/, ".js"))
        : join("dist", test, "**/*.test.js");
      const ran = run(copy, process.execPath, [...mocha, files], { ...environment, DATABASE_URL: url });
      passed += Number(/(\d+) passing/.exec(ran.stdout)?.[1] ?? 0);
      const [, failure] = /\n {2}1\) ([^]*?):\n/.exec(ran.stdout) ?? [];
      if (failure) {
        const [, path] = /HISTORY_PATH=(\d+)/.exec(ran.stdout) ?? [];
        const history = path === undefined ? "" : `, at history ${Number(path) + 1}`;
        return `${failure.replace(/\s+/g, " ").trim()} (test ${passed + 1}${history})`;
      }
      if (ran.status !== 0) throw new Error(`${test} did not run:\n${ran.stdout}\n${ran.stderr}`);
    }
    return undefined;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".patch"))
  .map((file) => file.replace(/\.patch$/, ""))
  .filter((name) => asked.length === 0 || asked.includes(name));
const postgres = await startPostgres();
let caught = 0;
try {
  for (const name of names) {
    try {
      const by = judge(name, postgres.url);
      if (by !== undefined) caught++;
      console.log(`${by === undefined ? "SURVIVED" : "caught  "} ${name}${by === undefined ? "" : `: ${by}`}`);
    } catch (error) {
      console.log(`BROKEN   ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
} finally {
  await postgres.stop();
}
console.log(`${caught} caught, ${names.length - caught} not`);
process.exitCode = caught === names.length && names.length > 0 ? 0 : 1;
