import { expect } from "chai";
import type { Application } from "../replay/application.js";
import { proveHistories } from "./prove.js";
import { makeTemplate } from "./world.js";

const { HISTORY_SEED, HISTORY_PATH, HISTORY_SHRINK, HISTORY_RUNS = "12" } = process.env;

describe("random histories", () => {
  let template: Application;
  before(async () => (template = await makeTemplate()));
  after(() => template?.stop());

  it("fold to the rows that are there, at their end and at every moment noted on the way", async function () {
    this.timeout(600_000);
    const seed = HISTORY_SEED === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(HISTORY_SEED);
    const counts = await proveHistories(template, {
      runs: Number(HISTORY_RUNS),
      seed,
      path: HISTORY_PATH,
      shrink: HISTORY_SHRINK !== undefined,
    });
    console.log(`      seed ${seed}: ${JSON.stringify(counts)}`);
    if (HISTORY_PATH !== undefined) return;
    expect(counts.events).to.be.greaterThan(counts.histories * 30);
    expect(counts.refused, "writes that the database refused").to.be.lessThan(counts.writes / 3);
  });
});
