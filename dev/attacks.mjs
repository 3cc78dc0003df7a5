/**
 * `npm run attacks -- [versions]`: all attacks on the log, on each version of PostgreSQL that the library supports. Each test
 * below is an attack, or a property that closes a kind of them; it passes if the log withstands.
 */
import { readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Failure, say } from "./bootstrap/failure.mjs";
import { ROOT } from "./bootstrap/root.mjs";
import { testOn, versionsIn } from "./servers.mjs";

/** Where a kind's tests are, beside its attacks of test/security/attacks. What else is in test/security comes last. */
const KINDS = {
  "names that anybody may make": [
    "test/security/casts",
    "test/security/doubles",
    "test/security/hostile-names",
    "test/security/operators",
    "test/security/statements",
  ],
  "rights from elsewhere": ["test/security/rights", "test/security/roles", "test/security/readers"],
  "what looks like permission": ["test/security/contexts"],
  "words of the log's own": [],
  "size, and secrets in texts": [
    "test/security/sent-values",
    "test/log/large-events",
    "test/activity/redaction",
    "test/activity/secret-values",
    "test/cli/printable",
  ],
  "files of others": ["test/security/spool", "test/security/sink-folders"],
  "HTTP clients": ["test/activity/http", "test/activity/addresses"],
  others: ["test/security"],
};
const TESTS = [
  "test/security",
  ...Object.values(KINDS)
    .flat()
    .filter((path) => !path.startsWith("test/security")),
];

/** @param {string[]} args */
async function main(args) {
  const { versions, rest } = versionsIn(args);
  let succeeded = 0;
  const totals = { tried: 0, repelled: 0 };
  const folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-attacks-"));
  try {
    for (const version of versions) {
      say(`PostgreSQL ${version} …`);
      const file = join(folder, `${version}.json`);
      const tests = TESTS.map((path) => (path === "test/security" ? path : `${path}.test.ts`));
      const reporter = ["--reporter", "json", "--reporter-option", `output=${file}`];
      const { code, output } = await testOn(version, [...tests, ...reporter, ...rest], { ATTACKS: "all" });
      const results = resultsIn(file);
      if (results === undefined) throw new Failure(`No attack ran on PostgreSQL ${version} (${code}).\n${output}`);
      for (const [kind, found] of byKind(results)) {
        const repelled = found.filter(({ failed }) => !failed);
        console.log(`PostgreSQL ${version}, ${kind}: ${repelled.length} of ${found.length} repelled`);
        for (const { title, failed } of found) if (failed) console.log(`  succeeded: ${title}: ${failed}`);
        totals.tried += found.length;
        totals.repelled += repelled.length;
      }
      const remaining = results.filter(({ remains, failed }) => remains && !failed).length;
      console.log(`PostgreSQL ${version}: ${remaining} remain possible, as SECURITY.md says`);
      succeeded += results.filter(({ failed }) => failed).length;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${totals.repelled} of ${totals.tried} repelled`);
  return succeeded > 0 ? 1 : 0;
}

/**
 * @typedef {object} Result
 * @property {string} file
 * @property {string} title
 * @property {string} failed  what it came to; empty if it was repelled
 * @property {boolean} remains  whether it is said to be possible
 *
 * @param {string} file
 * @returns {Result[] | undefined}
 */
function resultsIn(file) {
  try {
    /** @typedef {{ file: string | null, fullTitle: string, err: { message?: string } }} Test */
    /** @type {{ tests: Test[], failures: Test[], pending: Test[] }} */
    const { tests, failures, pending } = JSON.parse(readFileSync(file, "utf8"));
    const skipped = new Set(pending.map(titleOf));
    const hooks = failures.filter(({ fullTitle }) => / hook /.test(fullTitle));
    return [...tests, ...hooks]
      .filter((test) => !skipped.has(titleOf(test)))
      .map(({ file: of, fullTitle, err }) => ({
        file: relative(join(ROOT, "dist"), of ?? ""),
        title: fullTitle,
        failed: err.message === undefined ? "" : String(err.message).split("\n").slice(0, 5).join(" "),
        remains: / remain possible: /.test(fullTitle),
      }));
  } catch {
    return undefined;
  }
}

/** @param {{ file: string | null, fullTitle: string }} test */
const titleOf = ({ file, fullTitle }) => `${file} ${fullTitle}`;

/** @param {Result[]} results @returns {Map<string, Result[]>} */
function byKind(results) {
  const found = new Map();
  for (const result of results.filter(({ remains, failed }) => !remains || failed)) {
    const of = Object.entries(KINDS).find(
      ([kind, paths]) =>
        result.title.startsWith(`attacks by ${kind} `) || paths.some((path) => result.file.startsWith(path)),
    );
    const kind = of?.[0] ?? "others";
    found.set(kind, [...(found.get(kind) ?? []), result]);
  }
  return found;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  },
);
