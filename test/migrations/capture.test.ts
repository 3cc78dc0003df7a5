import { expect } from "chai";
import { expectSameRows } from "../live-rows.js";
import { expectEqual, rejectionOf } from "../replay/application.js";
import { type Row, type Shape, text } from "./kind.js";
import { Releases } from "./releases.js";

const bookmark = "before";
const plain: Shape = { columns: { name: text, note: text } };
const rows: readonly Row[] = [
  { id: 1, name: "Ada", note: "first" },
  { id: 2, name: "Alan", note: null },
];

describe("the log follows its capture", () => {
  let releases: Releases;
  afterEach(() => releases?.stop());

  for (const [from, to] of [
    ["trigger", "subscriber"],
    ["subscriber", "trigger"],
  ] as const) {
    it(`from ${from} to ${to} and back, with writes that the subscriber did not see`, async () => {
      releases = await Releases.start(plain, from);
      for (const row of rows) await releases.first.write(["create", row]);
      await releases.first.log.bookmark(bookmark);
      for (const capture of [to, from]) {
        const next = await releases.next(plain, { capture });
        expect(await rejectionOf(next.log.check())).to.include({ code: "INSTALL_STALE" });
        if (capture === "trigger") {
          await releases.ddl("update person set note = 'unseen' where id = 2");
          await releases.ddl("insert into person (id, name) values (9, 'unseen')", "delete from person where id = 1");
        }
        await next.log.install();
        const was = await releases.app.rows();
        await expectEqual(next, `under ${capture} capture`);
        await next.log.replay();
        expectSameRows(await releases.app.rows(), was);
        await next.write(["update", { id: 2, note: "seen" }]);
        await expectEqual(next, `after a write under ${capture} capture`);
      }
    });
  }
});
