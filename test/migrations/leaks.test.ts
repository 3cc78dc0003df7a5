import { expect } from "chai";
import type { RecordedEvent } from "../../src/index.js";
import { expectEqual } from "../replay/application.js";
import { type Shape, text } from "./kind.js";
import { type PersonRelease, Releases } from "./releases.js";

const bookmark = "before";
const rename = (from: string, to: string) => `alter table person rename ${from} to ${to}`;
const renameAndSwap = [rename("a", "x"), rename("b", "a"), rename("x", "b")];
const excluding = (name: string): Shape => ({ columns: { name: text, [name]: text }, tracked: { exclude: [name] } });
const hiding = (name: string): Shape => ({ columns: { name: text, [name]: text }, sensitive: [name] });
const pair = (sensitive: string): Shape => ({ columns: { a: text, b: text }, sensitive: [sensitive] });

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`between a migration and the next install, under ${capture} capture`, () => {
    let releases: Releases;
    afterEach(() => releases?.stop());
    const started = async (shape: Shape) => (releases = await Releases.start(shape, capture));
    const last = async ({ log, entity }: PersonRelease, id: unknown = 1): Promise<RecordedEvent> =>
      (await log.history(entity, id as number)).at(-1) ?? expect.fail("no event");

    it("never records an excluded column that was renamed", async () => {
      const { first } = await started(excluding("password"));
      await first.write(["create", { id: 1, name: "Ada", password: "canary-1" }]);
      await releases.ddl(rename("password", "hash"));
      const next = await releases.next(excluding("hash"));
      await next.write(["update", { id: 1, hash: "canary-2" }], ["update", { id: 1, name: "A", hash: "canary-3" }]);
      await next.write(["create", { id: 2, name: "Alan", hash: "canary-4" }], ["remove", { id: 2 }]);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      await next.log.install();
      await next.write(["update", { id: 1, name: "Ada", hash: "canary-5" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      expect(await last(next)).to.deep.include({ action: "update", data: { name: "Ada" } });
      await expectEqual(next, "in the end");
    });

    it("never records an excluded column whose name another one took", async () => {
      const { first } = await started({ columns: { hash: text, name: text }, tracked: { exclude: ["hash"] } });
      await first.write(["create", { id: 1, name: "Ada", hash: "canary-1" }]);
      await releases.ddl(rename("hash", "secret"), rename("name", "hash"));
      const next = await releases.next({ columns: { secret: text, hash: text }, tracked: { exclude: ["secret"] } });
      await next.write(["update", { id: 1, secret: "canary-2" }]);
      await next.log.install();
      await next.write(["update", { id: 1, secret: "canary-3", hash: "plain" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      await expectEqual(next, "in the end");
    });

    it("keeps a sensitive column that was renamed out of the main table", async () => {
      const { first } = await started(hiding("phone"));
      await first.write(["create", { id: 1, name: "Ada", phone: "canary-1" }]);
      await first.log.bookmark(bookmark);
      await releases.ddl(rename("phone", "tel"));
      const next = await releases.next(hiding("tel"));
      await next.write(["update", { id: 1, tel: "canary-2" }], ["create", { id: 2, name: "Alan", tel: "canary-3" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await next.log.install();
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await expectHidden(next, ["canary-1", "canary-2"]);
      expect(await next.log.at(next.entity, 1, { bookmark }, { sensitive: true })).to.include({ tel: "canary-1" });
    });

    for (const [how, ddl] of Object.entries({
      "a sensitive column": [rename("phone", "org")],
      "one that was made again": ["alter table person drop phone, add phone text", rename("phone", "org")],
    }))
      it(`keeps ${how} out of the main table that took the name of the tenant's`, async () => {
        const { first } = await started({
          columns: { org: text, phone: text },
          sensitive: ["phone"],
          tracked: { tenant: "org" },
        });
        await first.write(["create", { id: 1, org: "acme", phone: "canary-1" }]);
        await releases.ddl("alter table person drop org", ...ddl);
        const next = await releases.next({ columns: { org: text }, sensitive: ["org"] });
        await next.write(["create", { id: 2, org: "canary-2" }], ["update", { id: 2, org: "canary-3" }]);
        await next.write(["remove", { id: 2 }]);
        expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
        await next.log.install();
        expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      });

    it("keeps both of two columns that swapped names out of the main table, if one was sensitive", async () => {
      const { first } = await started(pair("a"));
      await first.write(["create", { id: 1, a: "canary-1", b: "plain-1" }]);
      await first.log.bookmark(bookmark);
      await releases.ddl(...renameAndSwap);
      const next = await releases.next(pair("b"));
      await next.write(["update", { id: 1, a: "plain-2", b: "canary-2" }]);
      await next.write(["create", { id: 2, a: "plain-3", b: "canary-3" }], ["remove", { id: 2 }]);
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await next.log.install();
      await next.write(["update", { id: 1, a: "plain-4", b: "canary-4" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await expectHidden(next, ["canary-1", "canary-2", "canary-4"]);
      const then = await next.log.at(next.entity, 1, { bookmark }, { sensitive: true });
      expect(then).to.include({ a: "plain-1", b: "canary-1" });
      await expectEqual(next, "in the end");
    });

    it("keeps a column that the install does not know out of the main table, and gives its values afterwards", async () => {
      const { first } = await started({ columns: { name: text } });
      await first.write(["create", { id: 1, name: "Ada" }]);
      await releases.ddl("alter table person add column motto text");
      const next = await releases.next({ columns: { name: text, motto: text } });
      await next.write(["update", { id: 1, motto: "canary" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await next.log.install();
      expect(await releases.tablesWith("canary")).to.not.include("event");
      expect((await last(next)).data).to.deep.equal({ motto: "canary" });
      await expectEqual(next, "in the end");
    });

    it("goes on hiding a new column's values if it turns out to be sensitive", async () => {
      const { first } = await started({ columns: { name: text } });
      await first.write(["create", { id: 1, name: "Ada" }]);
      await releases.ddl("alter table person add column phone text");
      const next = await releases.next(hiding("phone"));
      await next.write(["update", { id: 1, phone: "canary" }]);
      await next.log.install();
      expect(await releases.tablesWith("canary")).to.deep.equal(["event_sensitive"]);
      await expectHidden(next, ["canary"]);
      expect((await next.log.erase(next.entity, 1)).erased).to.be.greaterThan(0);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
    });

    it("forgets a new column's values if it turns out to be excluded", async () => {
      const { first } = await started({ columns: { name: text } });
      await first.write(["create", { id: 1, name: "Ada" }]);
      await releases.ddl("alter table person add column pin text");
      const next = await releases.next(excluding("pin"));
      await next.write(["update", { id: 1, name: "A", pin: "canary-1" }], ["update", { id: 1, pin: "canary-2" }]);
      await next.log.install();
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      await expectEqual(next, "in the end");
    });

    /** Nothing that reads without asking for sensitive values gives one. */
    async function expectHidden({ log, entity }: PersonRelease, canaries: readonly string[]): Promise<void> {
      const events: unknown[] = [];
      for await (const event of log.events()) events.push(event);
      const read = [
        events,
        await log.history(entity, 1),
        await log.at(entity, 1, { bookmark }).catch(() => null),
        await log.changes(entity, 1),
      ];
      const all = JSON.stringify(read);
      for (const canary of canaries) expect(all).to.not.include(canary);
    }
  });
}
