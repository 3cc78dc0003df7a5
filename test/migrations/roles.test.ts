import { expect } from "chai";
import type { RecordedEvent } from "../../src/index.js";
import { expectEqual } from "../replay/application.js";
import { type Shape, text } from "./kind.js";
import { type PersonRelease, Releases } from "./releases.js";

const rename = (from: string, to: string) => `alter table person rename ${from} to ${to}`;
const ofTenant = (name: string): Shape => ({ columns: { name: text, [name]: text }, tracked: { tenant: name } });
const soft = (name: string): Shape => ({
  columns: { name: text, [name]: { type: "timestamptz", nullable: true } },
  deleteDate: name,
});

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`a renamed column's role between a migration and the next install, under ${capture} capture`, () => {
    let releases: Releases;
    afterEach(() => releases?.stop());
    const started = async (shape: Shape) => (releases = await Releases.start(shape, capture));
    const last = async ({ log, entity }: PersonRelease, id: unknown = 1): Promise<RecordedEvent> =>
      (await log.history(entity, id as number)).at(-1) ?? expect.fail("no event");

    it("fills the tenant from its column under the new name", async () => {
      const { first } = await started(ofTenant("org"));
      await first.write(["create", { id: 1, name: "Ada", org: "t1" }]);
      await releases.ddl(rename("org", "company"));
      const next = await releases.next(ofTenant("company"));
      await next.write(["update", { id: 1, name: "A" }], ["create", { id: 2, name: "Alan", company: "t2" }]);
      expect(await last(next)).to.include({ tenant: "t1" });
      expect(await last(next, 2)).to.include({ tenant: "t2" });
      await next.log.install();
      await next.write(["remove", { id: 2 }]);
      expect(await last(next, 2)).to.include({ action: "destroy", tenant: "t2" });
    });

    it("records the same record under the new name of its key", async () => {
      const columns = { name: text };
      const { first } = await started({ columns });
      await first.write(["create", { id: 1, name: "Ada" }]);
      await releases.ddl(rename("id", "person_id"));
      const next = await releases.next({ columns, key: { person_id: { type: "int" } } });
      await next.write(["update", { person_id: 1, name: "A" }], ["create", { person_id: 2, name: "Alan" }]);
      const history = async () => (await next.log.history(next.entity, 1)).map(({ action }) => action);
      expect(await history()).to.deep.equal(["create", "update"]);
      await next.log.install();
      await next.write(["remove", { person_id: 1 }]);
      expect(await history()).to.deep.equal(["create", "update", "destroy"]);
      await expectEqual(next, "in the end");
    });

    it("knows a soft deletion by the new name of its column", async () => {
      const { first } = await started(soft("gone"));
      await first.write(["create", { id: 1, name: "Ada", gone: null }]);
      await releases.ddl(rename("gone", "deleted_at"));
      const next = await releases.next(soft("deleted_at"));
      await next.write(["update", { id: 1, deleted_at: "2026-02-01T00:00:00+00:00" }]);
      expect(await last(next)).to.include({ action: "update", actionName: "soft-remove" });
      await next.log.install();
      await next.write(["update", { id: 1, deleted_at: null }]);
      expect(await last(next)).to.include({ action: "update", actionName: "recover" });
    });
  });
}
