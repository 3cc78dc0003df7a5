import { proveHistories, type HistoryCounts } from "../histories/prove.js";
import { type HistoryCapture, makeTemplate } from "../histories/world.js";
import type { Part } from "./part.js";

/** A failure's seed is told this often. */
const batch = 10;
/** Beside one another: a history waits for its database half of the time. */
const lanes = 2;

/** Random histories under one way of capture, each in a database of its own. */
export function historiesUnder(capture: HistoryCapture, counts: Pick<Part, "full" | "round">): Part {
  return {
    ...counts,
    async run(times, { seed, onProgress }) {
      const template = await makeTemplate(capture);
      const totals: Record<string, number> = {};
      let [begun, done] = [0, 0];
      const lane = async () => {
        while (begun < times) {
          const [first, runs] = [begun, Math.min(batch, times - begun)];
          begun += runs;
          const found: HistoryCounts = await proveHistories(template, { runs, seed: seed + first, capture });
          for (const [name, value] of Object.entries(found) as [string, number][])
            totals[name] = (totals[name] ?? 0) + value;
          onProgress((done += runs));
        }
      };
      try {
        const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
        const failed = ended.find((end) => end.status === "rejected");
        if (failed !== undefined) throw failed.reason as Error;
      } finally {
        await template.stop();
      }
      return totals;
    },
  };
}
