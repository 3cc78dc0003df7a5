import { expect } from "chai";
import { query } from "../database.js";
import { Oracle } from "../oracle.js";
import { TrackedApplication } from "../tracked-application.js";
import { blog, blogTables } from "./entities/blog.js";
import { structures, structureTables } from "./entities/structures.js";
import { criteria } from "./paths/criteria.js";
import { relationsBySave, remove } from "./paths/relations.js";
import { save } from "./paths/save.js";
import type { WritePaths } from "./paths/write-path.js";

const groups: Readonly<Record<string, WritePaths>> = {
  save,
  "relations by save": relationsBySave,
  remove,
  "repository by criteria": criteria,
};

describe("trigger capture", () => {
  let application: TrackedApplication;
  let oracle: Oracle;

  before(async () => {
    application = await TrackedApplication.start([...blog, ...structures], {
      prepare: ({ url }) => query(url, `create schema "Shop floor"`),
    });
    oracle = await Oracle.watch(application, [...blogTables, ...structureTables]);
  });
  after(() => application?.stop());

  for (const [group, paths] of Object.entries(groups)) {
    describe(group, () => {
      for (const [name, [counts, prepare]] of Object.entries(paths)) {
        it(name, async () => {
          const { dataSource, manager } = application;
          const write = await prepare({ dataSource, manager, oracle });
          const recorded = await oracle.compare(write);
          expect(recorded).to.deep.equal({ create: 0, update: 0, destroy: 0, ...counts });
        });
      }
    });
  }
});
