/**
 * `npm run matrix -- [versions] [mocha's arguments]`: tests on each version of PostgreSQL that the library supports, the capture
 * suite where none are named. Servers come from npm, into a folder of their own.
 */
import { Failure, say } from "./bootstrap/failure.mjs";
import { testOn, versionsIn } from "./servers.mjs";

/** @param {string[]} args */
async function main(args) {
  const { versions, rest } = versionsIn(args);
  const tests = rest.length > 0 ? rest : ["test/subscribers"];
  const results = [];
  for (const version of versions) {
    say(`PostgreSQL ${version}: ${tests.join(" ")} …`);
    const { code, output } = await testOn(version, tests);
    const count = /^\d+ passed, \d+ failed$/m.exec(output)?.[0] ?? `no test ran (${code})`;
    if (code !== 0) say(output);
    results.push({ version, count, failed: code !== 0 });
    console.log(`PostgreSQL ${version}: ${count}`);
  }
  return results.some(({ failed }) => failed) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  },
);
