/**
 * `npm run stryker [-- file:test …]`: mutation testing by Stryker on the files whose mutants their own tests decide within seconds. It is
 * not among the dependencies (npx fetches it). Stryker puts all mutants of a file into it at once and chooses one by an environment
 * variable, so the copy is built once; the types are not checked then, since a mutant need not have any.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "./postgres.mjs";
import { ROOT } from "./bootstrap/root.mjs";

/** The last that runs on Node 20. */
const stryker = "@stryker-mutator/core@9.5.1";

/** What is mutated, and the tests that have to notice. */
const subset = {
  "subscribers/notes.ts": "test/subscribers/notes.test.ts",
  "subscribers/transaction.ts": "test/subscribers/transaction.test.ts",
  "subscribers/statement.ts": "test/subscribers/statement.test.ts",
  "src/core/exact-json.ts": "test/core/exact-json.test.ts",
  "src/core/sql.ts": "test/core/sql.test.ts",
};

const asked = process.argv.slice(2);
const wanted = Object.entries(subset).filter(([file]) => asked.length === 0 || asked.includes(file));
if (wanted.length === 0) {
  console.error(`Nothing to mutate. There are: ${Object.keys(subset).join(", ")}`);
  process.exit(1);
}
const postgres = await startPostgres();
const folder = mkdtempSync(join(tmpdir(), "typeorm-chronicle-stryker-"));
let failed = 0;
try {
  for (const [file, tests] of wanted) {
    const files = tests.split(" ").map((test) => join("dist", test.replace(/\.ts$/, ".js")));
    const config = {
      mutate: [file],
      testRunner: "command",
      commandRunner: { command: `node node_modules/mocha/bin/mocha.js --bail ${files.join(" ")}` },
      // Stryker links node_modules only after this.
      buildCommand: `node ${join(ROOT, "node_modules/typescript/bin/tsc")} -p . --noUnusedLocals false`,
      reporters: ["clear-text"],
      clearTextReporter: { allowColor: false, reportTests: false },
      // There is none: Stryker would rewrite it through an API that TypeScript 7 does not have.
      tsconfigFile: "no-tsconfig.json",
      disableTypeChecks: true,
      concurrency: 2,
      ignorePatterns: ["dist", ".stryker-tmp", "bench/results", "coverage"],
      allowEmpty: false,
    };
    const path = join(folder, "stryker.config.json");
    writeFileSync(path, JSON.stringify(config));
    const { status } = spawnSync("npx", ["--yes", "-p", stryker, "stryker", "run", path], {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, DATABASE_URL: postgres.url },
    });
    failed += status === 0 ? 0 : 1;
  }
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
