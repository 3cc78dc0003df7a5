import { expect } from "chai";
import type { Application } from "../replay/application.js";
import { Car, Invoice, Sample, Team } from "./entities.js";
import { makeTemplate, World } from "./world.js";

/** Each was found by a random history; here it is alone. */
describe("what random histories found", () => {
  let template: Application;
  let world: World;
  before(async () => (template = await makeTemplate()));
  beforeEach(async () => {
    world = new World(template);
    await world.start();
    await world.note();
  });
  afterEach(() => world?.stop());
  after(() => template?.stop());

  it("a rewind records the end of a record whose natural key is empty", async () => {
    await world.dataSource.manager.insert(Team, { name: "" });
    await world.rewind(0);
    const [last] = await world.history(Team, "");
    expect(last).to.include({ action: "destroy", origin: "rewind" });
  });

  it("a rewind records rows whole, with their generated columns, and nothing else", async () => {
    const { manager } = world.dataSource;
    const invoice = await manager.save(Invoice, { title: "A", lines: [{ amount: "1.50" }] });
    const sample = await manager.save(Sample, { id: "00000000-0000-4000-8000-000000000001", json: [1] } as Sample);
    await world.rewind(0);
    for (const [entity, id] of [
      ["InvoiceLine", invoice.lines[0]?.id],
      ["Sample", sample.id],
    ] as const) {
      const [destroyed, created] = await world.history(entity, id ?? 0);
      expect(destroyed?.previous).to.deep.equal(created?.data);
    }
  });

  it("the first row after a replay into a table that had one row gets an id of its own", async () => {
    await world.dataSource.manager.save(Car, { name: "first" });
    await world.lose();
    await world.log.replay();
    expect((await world.dataSource.manager.save(Car, { name: "second" })).id).to.equal(2);
  });
});
