import { expect } from "chai";
import { expectEqual } from "../replay/application.js";
import { type Shape, text } from "./kind.js";
import { Releases } from "./releases.js";

const rename = (from: string, to: string) => `alter table person rename ${from} to ${to}`;
const hiding = (...names: readonly string[]): Shape => ({
  columns: { name: text, ...Object.fromEntries(names.map((name) => [name, text])) },
  sensitive: names,
});

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`erasing values of columns that migrations changed, under ${capture} capture`, () => {
    let releases: Releases;
    afterEach(() => releases?.stop());

    it("takes them out under every name that the column had", async () => {
      releases = await Releases.start(hiding("phone"), capture);
      await releases.first.write(["create", { id: 1, name: "Ada", phone: "canary-1" }]);
      await releases.first.write(["create", { id: 2, name: "Alan", phone: "other" }]);
      let release = releases.first;
      for (const [from, to] of [
        ["phone", "tel"],
        ["tel", "mobile"],
      ] as const) {
        await releases.ddl(rename(from, to));
        release = await releases.next(hiding(to));
        await release.write(["update", { id: 1, [to]: `canary between, ${to}` }]);
        await release.log.install();
        await release.write(["update", { id: 1, [to]: `canary after, ${to}` }]);
      }
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      const { erased } = await release.log.erase(release.entity, 1);
      expect(erased).to.equal(5);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      expect(await releases.tablesWith("other")).to.deep.equal(["event_sensitive"]);
      expect(await releases.app.sql("select mobile from person where id = 1")).to.deep.equal([{ mobile: null }]);
      await expectEqual(release, "in the end");
    });

    for (const columns of [undefined, ["phone"]]) {
      it(`takes out those of a dropped column, ${columns === undefined ? "unasked" : "asked by its last name"}`, async () => {
        releases = await Releases.start(hiding("phone"), capture);
        await releases.first.write(["create", { id: 1, name: "Ada", phone: "canary" }]);
        await releases.ddl("alter table person drop column phone");
        const next = await releases.next(hiding());
        await next.log.install();
        await next.log.erase(next.entity, 1, { columns });
        expect(await releases.tablesWith("canary")).to.deep.equal([]);
        await expectEqual(next, "in the end");
      });
    }

    it("tells a dropped column from another one that took its name", async () => {
      releases = await Releases.start(hiding("phone"), capture);
      await releases.first.write(["create", { id: 1, name: "Ada", phone: "canary" }]);
      await releases.ddl("alter table person drop column phone", "alter table person add column phone text");
      const next = await releases.next(hiding("phone"));
      await next.log.install();
      await next.write(["update", { id: 1, phone: "canary again" }]);
      await next.log.erase(next.entity, 1);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      await expectEqual(next, "in the end");
    });
  });
}
