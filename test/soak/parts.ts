import { terminateUnderWork } from "../crashes/sessions.js";
import { proveMigrations } from "../migrations/histories/prove.js";
import { proveValues } from "../values/prove.js";
import { inBatches } from "./batches.js";
import { faultsOf } from "./faults.js";
import { historiesUnder } from "./histories.js";
import { points, tail } from "./loads.js";
import { expectThat, type Part } from "./part.js";
import { killedReplays, stoppedReplays, twoAtOnce, underWriters } from "./replays.js";

/** All that a soak is made of, the quick ones first. */
export const parts: Readonly<Record<string, Part>> = {
  "terminate under work": {
    full: 100,
    round: 16,
    async run(times, { onProgress }) {
      const hit = await terminateUnderWork(times, onProgress);
      expectThat(hit >= times / 10, `work was hit ${hit} times of ${times}: too few to prove anything`);
      return { hit };
    },
  },
  "two replays at once": twoAtOnce,
  "replay under writers": underWriters,
  "kill replay": killedReplays,
  "stop server under replay": stoppedReplays,
  values: {
    full: 20_000,
    round: 1_000,
    run: async (times, { seed, onProgress }) => ({ ...(await proveValues(times, { seed, onProgress })) }),
  },
  "tailed events": tail,
  points,
  "kill writer": faultsOf("kill writer", { full: 200, round: 4 }),
  "stop server": faultsOf("stop server", { full: 30, round: 2 }),
  "kill backend": faultsOf("kill backend", { full: 35, round: 2 }),
  "terminate backend": faultsOf("terminate backend", { full: 35, round: 2 }),
  cut: faultsOf("cut", { full: 50, round: 4 }),
  "lose answer": faultsOf("lose answer", { full: 50, round: 4 }),
  "histories by row triggers": historiesUnder("row", { full: 150, round: 5 }),
  "histories by the subscriber": historiesUnder("subscriber", { full: 150, round: 5 }),
  migrations: { full: 1_000, round: 20, run: (times, options) => inBatches(times, options, proveMigrations) },
  histories: historiesUnder("statement", { full: 1_000, round: 20 }),
};
