import fc from "fast-check";
import type { Application } from "../replay/application.js";
import { historiesUnder } from "./history.js";
import { expectAllHolds } from "./invariants.js";
import { Run } from "./run.js";
import { type HistoryCapture, World } from "./world.js";

/** What a number of histories came to. */
export interface HistoryCounts {
  histories: number;
  writes: number;
  /** Writes that the database refused, or subscriber capture. */
  refused: number;
  /** Transactions and savepoints that were taken back. */
  takenBack: number;
  moments: number;
  events: number;
}

export interface HistoryOptions {
  readonly runs: number;
  readonly seed: number;
  /** Where in the tree of histories and their smaller forms a failure was, as fast-check says it. (Default: from the start) */
  readonly path?: string | undefined;
  /** Of which the template is, too. (Default: "statement") */
  readonly capture?: HistoryCapture;
  /** Look for a smaller history that fails as well. (Default: false) */
  readonly shrink?: boolean;
}

/**
 * Runs random histories, each on a copy of the template, and proves after each that everything holds.
 * Throws at the first failure, with its seed and the command that runs it again.
 */
export async function proveHistories(
  template: Application,
  { runs, seed, path, capture = "statement", shrink = false }: HistoryOptions,
): Promise<HistoryCounts> {
  const counts: HistoryCounts = { histories: 0, writes: 0, refused: 0, takenBack: 0, moments: 0, events: 0 };
  const property = fc.asyncProperty(historiesUnder(capture), async (history) => {
    const world = new World(template, capture);
    try {
      await world.start();
      const run = new Run(world);
      await run.all(history);
      counts.events += Number((await world.sql<{ count: string }>("select count(*) from chronicle.event"))[0]?.count);
      await expectAllHolds(world, run.works);
      counts.histories++;
      counts.writes += run.written;
      counts.refused += run.failed;
      counts.takenBack += run.takenBack;
      counts.moments += world.moments;
    } finally {
      await world.stop();
    }
  });
  const result = await fc.check(property, {
    numRuns: runs,
    seed,
    endOnFailure: !shrink,
    ...(path === undefined ? {} : { path }),
  });
  if (!result.failed) return counts;
  const { counterexamplePath, counterexample, errorInstance } = result;
  const cause = errorInstance instanceof Error ? errorInstance : new Error(String(errorInstance));
  const again = `HISTORY_CAPTURE=${capture} HISTORY_SEED=${seed} HISTORY_PATH=${counterexamplePath} npm test -- test/histories`;
  throw new Error(
    `A history does not hold: ${cause.message}
run it again:            ${again}
look for a smaller one:  HISTORY_SHRINK=1 ${again}
${shrink ? JSON.stringify(counterexample, null, 1) : ""}`,
    { cause },
  );
}
