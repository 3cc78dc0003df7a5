import fc from "fast-check";
import { changeUnderCopies, expectCopiesEqual } from "./histories/follow.js";
import { allKinds, historiesOf } from "./histories/history.js";
import { Copies } from "./histories/copies.js";
import { firstModel } from "./histories/first-tables.js";
import { World } from "./histories/world.js";
import { writeSql } from "./histories/writes.js";

const { MIGRATIONS_SEED, MIGRATIONS_PATH, MIGRATIONS_RUNS = "15" } = process.env;

/** The oracle on trial: without the library, and without writes after the copies were taken. */
describe("the copies that histories of migrations are compared with", () => {
  it("are the tables still after any changes of the schema", async function () {
    this.timeout(300_000);
    const seed = Number(MIGRATIONS_SEED ?? 7);
    const property = fc.asyncProperty(historiesOf(allKinds), async ({ first, beginning, releases }) => {
      const world = await World.start();
      try {
        const copies = new Copies();
        const model = firstModel(first);
        await world.create(model);
        for (const write of beginning) await world.query("A", writeSql(model, write)).catch(() => undefined);
        await copies.take(world.watcher, "beginning", model);
        const changes = releases.flat().filter((step) => step.kind === "change");
        const now = await changeUnderCopies(world, model, copies, changes, allKinds);
        await expectCopiesEqual(world, now, copies).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${world.lines.join("\n")}`);
        });
      } finally {
        await world.stop();
      }
    });
    const path = MIGRATIONS_PATH === undefined ? {} : { path: MIGRATIONS_PATH };
    await fc.assert(property, { numRuns: Number(MIGRATIONS_RUNS), seed, endOnFailure: true, ...path });
  });
});
