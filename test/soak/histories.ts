import { proveHistories } from "../histories/prove.js";
import { type HistoryCapture, makeTemplate } from "../histories/world.js";
import { inBatches } from "./batches.js";
import type { Part } from "./part.js";

/** Random histories under one way of capture, each in a database of its own. */
export function historiesUnder(capture: HistoryCapture, counts: Pick<Part, "full" | "round">): Part {
  return {
    ...counts,
    async run(times, options) {
      const template = await makeTemplate(capture);
      try {
        return await inBatches(times, options, (how) => proveHistories(template, { ...how, capture }));
      } finally {
        await template.stop();
      }
    },
  };
}
