import { expect } from "chai";
import { expectSameRows } from "../live-rows.js";
import { expectEqual } from "../replay/application.js";
import { type Row, type Shape, text } from "./kind.js";
import { type PersonRelease, Releases } from "./releases.js";
import { canonical, rowsOf } from "./rows.js";

const bookmark = "before";
const columns = { name: text, note: text };
const plain: Shape = { columns };
const without: Shape = { columns, tracked: { exclude: ["note"] } };
const rows: readonly Row[] = [
  { id: 1, name: "Ada", note: "first" },
  { id: 2, name: "Alan", note: null },
];

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`the log follows its own options, under ${capture} capture`, () => {
    let releases: Releases;
    afterEach(() => releases?.stop());

    async function released(shape: Shape): Promise<PersonRelease> {
      releases = await Releases.start(shape, capture);
      for (const row of rows) await releases.first.write(["create", row]);
      await releases.first.log.bookmark(bookmark);
      return releases.first;
    }

    /** Log and tables are equal, and a replay keeps every row. */
    async function expectKept({ log }: Pick<PersonRelease, "log">): Promise<void> {
      const was = await releases.app.rows();
      await expectEqual({ log }, "after the install");
      await log.replay();
      expectSameRows(await releases.app.rows(), was);
      await expectEqual({ log }, "after the replay");
    }

    async function expectPast({ log, entity }: PersonRelease, past: readonly Row[]): Promise<void> {
      const shadow = await log.shadow({ bookmark });
      const found = await rowsOf(releases.app.db, shadow.manager.getRepository(entity).metadata.tablePath);
      await shadow.drop();
      expect(canonical(found)).to.deep.equal(canonical(past));
    }

    it("records what an excluded column holds once it is not excluded any more", async () => {
      await released(without);
      const next = await releases.next(plain);
      await next.log.install();
      await expectKept(next);
      await expectPast(next, [
        { id: 1, name: "Ada", note: null },
        { id: 2, name: "Alan", note: null },
      ]);
      expect((await next.log.history(next.entity, 1)).at(-1)?.data).to.deep.equal({ note: "first" });
      expect(await next.log.history(next.entity, 2), "the history of a row that holds nothing").to.have.length(1);
      await next.write(["update", { id: 1, note: "second" }]);
      await expectKept(next);
    });

    it("leaves a column alone once it is excluded", async () => {
      await released(plain);
      const next = await releases.next(without);
      await next.log.install();
      await next.write(["update", { id: 1, note: "canary" }], ["update", { id: 2, name: "A" }]);
      expect(await releases.tablesWith("canary")).to.deep.equal([]);
      await expectKept(next);
    });

    it("follows a column that is excluded for one release", async () => {
      await released(plain);
      const second = await releases.next(without);
      await second.log.install();
      await second.write(["update", { id: 1, note: "unseen" }], ["create", { id: 3, name: "Grace", note: "unseen" }]);
      const third = await releases.next(plain);
      await third.log.install();
      await expectKept(third);
      await expectPast(third, rows);
    });

    it("replays an entity that was for audit only", async () => {
      await released({ columns, tracked: { auditOnly: true } });
      const next = await releases.next(plain);
      await next.log.install();
      await expectKept(next);
      await expectPast(next, rows);
    });

    it("replays an entity of which only creates were recorded", async () => {
      const first = await released({ columns, tracked: { auditOnly: true, actions: ["create"] } });
      await first.write(["update", { id: 1, note: "unseen" }], ["remove", { id: 2 }]);
      const next = await releases.next(plain);
      await next.log.install();
      await expectKept(next);
      await next.write(["update", { id: 1, name: "A" }], ["create", { id: 2, name: "Alan" }]);
      await expectKept(next);
    });

    it("replays an entity of which only updates and destroys were recorded", async () => {
      const first = await released({ columns, tracked: { auditOnly: true, actions: ["update", "destroy"] } });
      await first.write(["update", { id: 1, note: "seen" }], ["create", { id: 3, name: "Grace" }]);
      const next = await releases.next(plain);
      await next.log.install();
      await expectKept(next);
      await next.write(["remove", { id: 1 }], ["update", { id: 3, note: "seen" }]);
      await expectKept(next);
    });

    it("records more actions of an entity that stays for audit only", async () => {
      await released({ columns, tracked: { auditOnly: true, actions: ["create"] } });
      const next = await releases.next({ columns, tracked: { auditOnly: true } });
      await next.log.install();
      await next.write(["update", { id: 1, note: "seen" }], ["remove", { id: 2 }]);
      const actions = async (id: number) => (await next.log.history(next.entity, id)).map(({ action }) => action);
      expect([await actions(1), await actions(2)]).to.deep.equal([
        ["create", "update"],
        ["create", "destroy"],
      ]);
      await expectKept(next);
    });

    it("takes an entity back that was not tracked for one release", async () => {
      await released(plain);
      const second = await releases.next({ columns, tracked: false });
      await second.log.install();
      await releases.ddl(
        "update person set note = 'unseen' where id = 1",
        "delete from person where id = 2",
        "insert into person (id, name) values (3, 'Grace')",
      );
      const third = await releases.next(plain);
      await third.log.install();
      await expectKept(third);
      await expectPast(third, rows);
      await third.write(["update", { id: 3, note: "seen" }], ["remove", { id: 1 }]);
      await expectKept(third);
    });
  });
}
