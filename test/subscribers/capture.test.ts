import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { withRequestContext } from "../../src/index.js";
import { Oracle } from "../oracle.js";
import type { TrackedApplication } from "../tracked-application.js";
import { afterRowTables } from "./entities/machines.js";
import { captureTable, captureTableOf } from "./capture-table.js";
import { groups } from "./paths/index.js";
import { startWorkshop, watched } from "./workshop.js";

const recordedPaths = new Set<string>();

for (const level of ["statement", "row"] as const) {
  describe(`trigger capture at ${level} level`, () => {
    let application: TrackedApplication;
    let oracle: Oracle;

    before(async function () {
      this.timeout(60_000);
      application = await startWorkshop(level);
      oracle = await Oracle.watch(application, watched);
    });
    after(() => application?.stop());

    it("is under test, on every table that has no AFTER ROW trigger of its own", async () => {
      const levels = await application.query<{ level: string; table_name: string; triggers: string }>(
        `select t.table_name, t.level, count(*) as triggers from chronicle.tracked t join pg_trigger g on g.tgrelid = t.table_oid
         where g.tgname like ' chronicle %' and g.tgname <> ' chronicle truncate' and (g.tgtype & 1 = 1) = (t.level = 'row') group by 1, 2`,
      );
      expect(levels.map(({ triggers }) => triggers)).to.deep.equal(watched.map(() => "3"));
      const tables = (of: string) => levels.filter((row) => row.level === of).map((row) => row.table_name);
      if (level === "row") expect(tables("statement")).to.be.empty;
      else expect(tables("row")).to.have.members(afterRowTables);
    });

    for (const [group, paths] of Object.entries(groups)) {
      describe(group, () => {
        for (const [name, [counts, prepare]] of Object.entries(paths)) {
          it(name, async () => {
            const { dataSource, manager } = application;
            const write = await prepare({ dataSource, manager, oracle });
            const actor = { type: "test", id: randomUUID(), name };
            const recorded = await oracle.compare(() => withRequestContext({ actor }, write), actor);
            expect(recorded).to.deep.equal({ create: 0, update: 0, destroy: 0, ...counts });
            recordedPaths.add(`${level} ${group} ${name}`);
          });
        }
      });
    }

    it("leaves a log that says what the tables hold", async function () {
      this.timeout(30_000);
      const { equal, differences } = await application.log.verify();
      expect({ equal, differences }).to.deep.equal({ equal: true, differences: [] });
    });
  });
}

describe("the README's capture table", () => {
  it("says what this suite found (UPDATE_README=1 writes it)", async function () {
    const tried = Object.values(groups).reduce((total, paths) => total + 2 * Object.keys(paths).length, 0);
    if (process.env["UPDATE_README"] === undefined && recordedPaths.size < tried) this.skip();
    const made = captureTableOf(recordedPaths);
    if (process.env["UPDATE_README"] !== undefined) await captureTable.print(made);
    expect(await captureTable.printed()).to.equal(made);
  });
});
