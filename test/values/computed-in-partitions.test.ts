import { expect } from "chai";
import { entityOf } from "../migrations/entity-of.js";
import { text } from "../migrations/kind.js";
import { Application } from "../replay/application.js";

const item = entityOf(
  {
    columns: {
      name: text,
      upper: { type: "text", nullable: true, generatedType: "STORED", asExpression: "upper(name)" },
    },
  },
  "item",
);

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`a computed column in a partition whose columns lie in another order, by ${capture} capture`, () => {
    const app = new Application({
      entities: [item],
      capture,
      dataSource: { synchronize: false },
      before: `create table item (gone integer, id integer primary key, name text, upper text generated always as (upper(name)) stored)
          partition by range (id);
        alter table item drop column gone;
        create table item_0 partition of item for values from (0) to (100)`,
    });
    before(() => app.start());
    after(() => app.stop());

    it("is recorded as the row has it", async () => {
      const items = app.dataSource.getRepository(item);
      await items.save([
        { id: 1, name: "one" },
        { id: 2, name: "two" },
      ]);
      await items.save({ id: 1, name: "uno" });
      const events = await app.events();
      expect(events.map(({ data }) => data)).to.deep.equal([
        { id: 1, name: "one", upper: "ONE" },
        { id: 2, name: "two", upper: "TWO" },
        { name: "uno", upper: "UNO" },
      ]);
    });
  });
}
