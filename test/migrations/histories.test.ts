import { expect } from "chai";
import { type MigrationCounts, proveMigrations } from "./histories/prove.js";

const { MIGRATIONS_SEED, MIGRATIONS_PATH, MIGRATIONS_SHRINK, MIGRATIONS_WITHOUT, MIGRATIONS_RUNS = "1" } = process.env;

/** Histories that found something once, and others; `npm run soak -- --only migrations` draws new ones. */
const seeds = [34, 61, 84, 207, 495, 2039, 3000, 4027, 4090, 4124, 5108, 5116, 5142, 6020, 8113];

describe("random histories of migrations", () => {
  it("leave log and tables equal after each install, and bring back every moment in its shape", async function () {
    this.timeout(600_000);
    const counts: MigrationCounts[] = [];
    for (const seed of MIGRATIONS_SEED === undefined ? seeds : [Number(MIGRATIONS_SEED)]) {
      const options = {
        runs: Number(MIGRATIONS_RUNS),
        seed,
        path: MIGRATIONS_PATH,
        shrink: MIGRATIONS_SHRINK !== undefined,
        without: MIGRATIONS_WITHOUT?.split(",") ?? [],
      };
      counts.push(await proveMigrations(options));
    }
    const total = (of: keyof MigrationCounts) => counts.reduce((sum, count) => sum + count[of], 0);
    if (MIGRATIONS_SEED !== undefined) return;
    expect(total("changes"), "statements that changed the schema").to.be.greaterThan(total("histories") * 2);
    expect(total("cameBack"), "moments that came back").to.be.greaterThan(total("histories") * 2);
    expect(total("refusedChanges"), "changes that were refused").to.be.lessThan(total("changes") / 2);
    expect(total("refusedWrites"), "writes that were refused").to.be.lessThan(total("writes") / 3);
  });
});
