import { expect } from "chai";
import type { Application } from "../replay/application.js";
import { proveHistories } from "./prove.js";
import { type HistoryCapture, makeTemplate } from "./world.js";

const { HISTORY_SEED, HISTORY_PATH, HISTORY_SHRINK, HISTORY_CAPTURE, HISTORY_RUNS = "12" } = process.env;

/** How many histories of `HISTORY_RUNS`, under each way of capture. */
const shares: Readonly<Record<HistoryCapture, number>> = { statement: 1, row: 0.25, subscriber: 0.5 };

for (const [capture, share] of Object.entries(shares) as [HistoryCapture, number][]) {
  if (HISTORY_CAPTURE !== undefined && HISTORY_CAPTURE !== capture) continue;
  describe(`random histories, captured by ${capture === "subscriber" ? "the subscriber" : `${capture} triggers`}`, () => {
    let template: Application;
    before(async () => (template = await makeTemplate(capture)));
    after(() => template?.stop());

    it("fold to the rows that are there, at their end and at every moment noted on the way", async function () {
      this.timeout(600_000);
      const seed = HISTORY_SEED === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(HISTORY_SEED);
      const counts = await proveHistories(template, {
        runs: Math.ceil(Number(HISTORY_RUNS) * share),
        seed,
        path: HISTORY_PATH,
        capture,
        shrink: HISTORY_SHRINK !== undefined,
      });
      console.log(`      seed ${seed}: ${JSON.stringify(counts)}`);
      if (HISTORY_PATH !== undefined) return;
      expect(counts.events).to.be.greaterThan(counts.histories * 10);
      expect(counts.refused, "writes that were refused").to.be.lessThan(counts.writes / 3);
    });
  });
}
