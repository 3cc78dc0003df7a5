import type { DataSource } from "typeorm";
import { withDatabases } from "../database.js";
import { withNetwork } from "../network.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded, told } from "../report.js";
import { timed, type Variant } from "../rounds.js";
import { inRequest } from "./context.js";
import { concurrent, type Operation, single } from "./operations.js";
import { isRecorded, type Sources, withSources } from "./sources.js";

/**
 * What tracking costs: the same operation on a plain DataSource, on one tracked by triggers, there with a request context, on one
 * where that is signed, and on one tracked by the entity subscriber, where that records it.
 */
export async function capture({ rounds = 10, network }: BenchOptions): Promise<Report[]> {
  return withDatabases(4, (urls) =>
    withNetwork(urls, network, async (through, notes) =>
      withSources(through, async (sources) => {
        const rows: Report["rows"][number][] = [];
        for (const operation of [...single, concurrent]) {
          const recorded = await isRecorded(sources, (dataSource) => operation.run(dataSource, 1));
          const [plain, tracked, context, signed, subscriber] = await timed(variantsOf(operation, sources), rounds);
          const once = (ms = Number.NaN) => rounded(ms / operation.times);
          const row = {
            operation: operation.name,
            "plain ms": once(plain?.median),
            "tracked ms": once(tracked?.median),
            "with context ms": once(context?.median),
            "signed ms": once(signed?.median),
            "tracked / plain": rounded(tracked?.ratio ?? Number.NaN),
            "with context / plain": rounded(context?.ratio ?? Number.NaN),
            "signed / plain": rounded(signed?.ratio ?? Number.NaN),
            "subscriber ms": recorded ? once(subscriber?.median) : "not recorded",
            "subscriber / plain": recorded ? rounded(subscriber?.ratio ?? Number.NaN) : "",
            aim: operation.aim,
          };
          rows.push(told(row));
        }
        return [
          { title: `Capture against plain TypeORM (${rounds} rounds, medians; tracked: by triggers)`, notes, rows },
        ];
      }),
    ),
  );
}

function variantsOf({ run, times }: Operation, { plain, tracked, signed, subscriber }: Sources): Variant[] {
  let turn = 0;
  const repeated = (dataSource: DataSource, wrap: (work: () => Promise<unknown>) => Promise<unknown>) => async () => {
    for (let time = 0; time < times; time++) {
      turn++;
      await wrap(() => run(dataSource, turn));
    }
  };
  const bare = (work: () => Promise<unknown>) => work();
  return [
    { name: "plain", run: repeated(plain, bare) },
    { name: "tracked", run: repeated(tracked, bare) },
    { name: "with context", run: repeated(tracked, inRequest) },
    { name: "signed", run: repeated(signed, inRequest) },
    { name: "subscriber", run: repeated(subscriber, inRequest) },
  ];
}
