import fc from "fast-check";
import { allKinds, historiesOf, type MigrationHistory } from "./history.js";
import { reduced } from "./reduce.js";
import { noCounts, Run } from "./run.js";
import { World } from "./world.js";

export type MigrationCounts = ReturnType<typeof noCounts> & { histories: number };

export interface MigrationHistoryOptions {
  readonly runs: number;
  readonly seed: number;
  /** Which history failed, as fast-check says it. (Default: from the start) */
  readonly path?: string | undefined;
  /** Look for a smaller history that fails as well. (Default: false) */
  readonly shrink?: boolean;
  /** Kinds of change to leave out, to look past what is known. (Default: none) */
  readonly without?: readonly string[];
}

/**
 * Runs random histories of migrations, each in a database of its own, and proves after each install that log and tables
 * agree and that every moment comes back. Throws at the first failure, with its statements and the command for it.
 */
export async function proveMigrations({
  runs,
  seed,
  path,
  shrink = false,
  without = [],
}: MigrationHistoryOptions): Promise<MigrationCounts> {
  const counts: MigrationCounts = { histories: 0, ...noCounts() };
  const kinds = allKinds.filter((kind) => !without.includes(kind));
  let failed: Failure | undefined;
  const property = fc.asyncProperty(historiesOf(kinds), async (history) => {
    failed = await failureOf(history, kinds, counts);
    if (failed !== undefined) throw failed.error;
  });
  const result = await fc.check(property, {
    numRuns: runs,
    seed,
    endOnFailure: true,
    ...(path === undefined ? {} : { path }),
  });
  if (failed === undefined) return counts;
  const first: Failure = failed;
  let smallest = first;
  if (shrink) {
    await reduced(first.history, async (smaller) => {
      const failure = await failureOf(smaller, kinds);
      if (failure === undefined || wayOf(failure.error) !== wayOf(first.error)) return false;
      smallest = failure;
      return true;
    });
  }
  const left = without.length === 0 ? "" : `MIGRATIONS_WITHOUT='${without.join(",")}' `;
  const where = `MIGRATIONS_SEED=${seed} MIGRATIONS_PATH=${result.counterexamplePath}`;
  const again = `${left}${where} npm test -- test/migrations/histories.test.ts`;
  throw new Error(
    `A history of migrations does not hold: ${smallest.error.message}
run it again:            ${again}
look for a smaller one:  MIGRATIONS_SHRINK=1 ${again}
${smallest.lines.join("\n")}`,
    { cause: smallest.error },
  );
}

interface Failure {
  readonly history: MigrationHistory;
  readonly error: Error;
  /** What was done until then. */
  readonly lines: readonly string[];
}

async function failureOf(
  history: MigrationHistory,
  kinds: readonly string[],
  counts?: MigrationCounts,
): Promise<Failure | undefined> {
  const world = await World.start();
  const run = new Run(world, history, kinds);
  try {
    await run.all();
  } catch (error) {
    return { history, error: error instanceof Error ? error : new Error(String(error)), lines: world.lines };
  } finally {
    await world.stop();
  }
  if (counts === undefined) return undefined;
  counts.histories++;
  for (const [name, count] of Object.entries(run.counts) as [keyof typeof run.counts, number][]) counts[name] += count;
  return undefined;
}

/** The kind of divergence, and the code of an error in it. */
function wayOf(error: Error): string {
  const [line = ""] = error.message.split("\n");
  const [code = ""] = /\b(?:[0-9A-Z]{5}|[A-Z]+_[A-Z_]+)\b/.exec(line) ?? [];
  return `${line.split(": ")[0]} ${code}`;
}
