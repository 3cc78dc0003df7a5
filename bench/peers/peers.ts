import type { DataSource } from "typeorm";
import { withDatabases } from "../database.js";
import { withNetwork } from "../network.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded, told } from "../report.js";
import { timed, type Timing } from "../rounds.js";
import { type Contestant, contestants, withDataSources } from "./contestants.js";
import { installPeers } from "./install.js";
import { type PeerOperation, peerOperations } from "./operations.js";

/** Over a network a run lasts long enough to be timed with fewer repetitions. */
const shorterOverNetwork = 6;

/** An operation gets fewer rounds where all of them would take longer than this, but one at least. In milliseconds. */
const longestOperation = 20_000;

/** A contestant with its database. */
interface Entrant extends Contestant {
  readonly dataSource: DataSource;
  readonly operations: readonly PeerOperation[];
}

/** What other packages and ways cost that keep a history, beside plain TypeORM and ours, and how much of the changes they keep. */
export async function peers({ rounds = 5, network }: BenchOptions): Promise<Report[]> {
  const missing: string[] = [];
  const load = await installPeers().catch((error: unknown) => void missing.push(String(error)));
  const all = contestants(load ?? undefined);
  return withDatabases(all.length, (urls) =>
    withNetwork(urls, network, async (through, notes) =>
      withDataSources(all, { direct: urls, urls: through }, async (dataSources) => {
        const entrants = all.map((contestant, index): Entrant => ({
          ...contestant,
          dataSource: dataSources[index] as DataSource,
          operations: peerOperations(contestant.updateAll).map((operation) => ({
            ...operation,
            times: network === 0 ? operation.times : Math.ceil(operation.times / shorterOverNetwork),
          })),
        }));
        const rows: Report["rows"][number][] = [];
        const exclusive: Report["rows"][number][] = [];
        for (const [index, { name, times, isConcurrent }] of (entrants[0]?.operations ?? []).entries()) {
          const taking = entrants.filter(({ isVariation }) => isConcurrent === true || !isVariation);
          const outcomes = new Map<string, Outcome>();
          for (const entrant of taking) outcomes.set(entrant.name, await outcomeOf(entrant, index));
          const able = taking.filter((entrant) => outcomes.get(entrant.name)?.failed === false);
          const once = times * able.reduce((sum, entrant) => sum + (outcomes.get(entrant.name)?.ms ?? 0), 0);
          const affordable = Math.max(1, Math.min(rounds, Math.floor(longestOperation / (2 * once))));
          const timings = await timed(
            able.map((entrant) => variantOf(entrant, index)),
            affordable,
            { isWarm: times === 1 },
          );
          rows.push(told({ ...rowOf(name, times, taking, timings, outcomes), rounds: affordable }));
          if (isConcurrent === true) exclusive.push(told(exclusiveRow(name, taking, timings)));
        }
        return [
          {
            title: `Ways to keep a history, time over plain TypeORM's (${rounds} rounds, medians)`,
            notes: [...notes, ...missing],
            rows,
          },
          { title: "One order of commits: throughput over that of AshEvents' way", notes, rows: exclusive },
        ];
      }),
    ),
  );
}

function variantOf({ name, dataSource, wrap, operations }: Entrant, index: number) {
  const { run, times } = operations[index] as PeerOperation;
  let turn = 1;
  return {
    name,
    run: async () => {
      for (let time = 0; time < times; time++) {
        turn++;
        await wrap(() => run(dataSource, turn));
      }
    },
  };
}

/** What became of an operation where it is done once: how much of it was recorded, or why it failed. */
interface Outcome {
  readonly remark: string;
  readonly failed: boolean;
  readonly ms: number;
}

async function outcomeOf({ dataSource, table, wrap, operations }: Entrant, index: number): Promise<Outcome> {
  const { run, changes } = operations[index] as PeerOperation;
  const count = async () => {
    if (table === undefined) return 0;
    const [row] = await dataSource.query<{ count: string }[]>(`select count(*) from ${table}`);
    return Number(row?.count);
  };
  const before = await count();
  const started = performance.now();
  try {
    await wrap(() => run(dataSource, 0));
  } catch (error) {
    return { remark: `fails: ${String((error as Error).message)}`, failed: true, ms: 0 };
  }
  const ms = performance.now() - started;
  const recorded = (await count()) - before;
  const isWhole = table === undefined || recorded === changes;
  return { remark: isWhole ? "" : `, recorded ${recorded} of ${changes}`, failed: false, ms };
}

function rowOf(
  operation: string,
  times: number,
  entrants: readonly Entrant[],
  timings: readonly Timing[],
  outcomes: ReadonlyMap<string, Outcome>,
) {
  const cells = entrants
    .filter(({ table, isVariation }) => table !== undefined && !isVariation)
    .map(({ name }) => {
      const ratio = timings.find((timing) => timing.name === name)?.ratio;
      return [name, `${ratio === undefined ? "" : rounded(ratio)}${outcomes.get(name)?.remark ?? ""}`];
    });
  return {
    operation,
    "plain ms": rounded((timings[0]?.median ?? Number.NaN) / times),
    ...(Object.fromEntries(cells) as Record<string, string>),
  };
}

function exclusiveRow(operation: string, entrants: readonly Entrant[], timings: readonly Timing[]) {
  const ratioOf = (wanted: string) => timings.find(({ name }) => name === wanted)?.ratio ?? Number.NaN;
  const cells = entrants
    .filter(({ isExclusive }) => isExclusive)
    .map(({ name }) => [name, rounded(ratioOf("AshEvents' way") / ratioOf(name))]);
  return { operation, ...(Object.fromEntries(cells) as Record<string, number>) };
}
