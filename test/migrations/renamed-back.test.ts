import { expect } from "chai";
import { EventLogError } from "../../src/index.js";
import { Application } from "../replay/application.js";
import { entityOf } from "./entity-of.js";
import { text } from "./kind.js";

const item = (mood: "good" | "bad") =>
  entityOf(
    {
      columns: { name: text, mood: { type: "enum", enum: [mood, mood === "good" ? "bad" : "good"], enumName: "mood" } },
    },
    "item",
  );
const swap = `alter type mood rename value 'good' to 'x'; alter type mood rename value 'bad' to 'good';
  alter type mood rename value 'x' to 'bad'`;

describe("labels that were renamed and renamed back, and writes between", () => {
  const app = new Application({ entities: [item("good")] });
  before(() => app.start());
  after(() => app.stop());

  it("are told from one another, before the next install by refusing", async () => {
    await app.sql("insert into item values (1, 'one', 'good'), (2, 'two', 'bad')");
    await app.sql(swap);
    await app.sql(
      "update item set mood = 'good', name = 'uno' where id = 1; insert into item values (3, 'three', 'bad')",
    );
    await app.sql(swap);
    for (const fold of ["verify", "replay"] as const) {
      const rows = await app.rows();
      const report = await app.log[fold]().catch((error: unknown) => error);
      if (report instanceof EventLogError) expect(report).to.include({ code: "INSTALL_STALE" });
      else if ("equal" in (report as object)) expect(report).to.include({ equal: true });
      expect(await app.rows()).to.deep.equal(rows);
    }
    await app.log.install();
    expect(await app.sql("select id, mood from item order by id")).to.deep.equal([
      { id: 1, mood: "bad" },
      { id: 2, mood: "bad" },
      { id: 3, mood: "good" },
    ]);
    expect(await app.log.verify()).to.include({ equal: true });
    expect((await app.log.replay()).rows).to.include({ inserted: 0, updated: 0, deleted: 0 });
  });
});
