import { expect } from "chai";
import { attempt, codeOf, described } from "./attempt.js";
import { type Row, type Shape, text } from "./kind.js";
import { Releases } from "./releases.js";

const bookmark = "before";
const named: Shape = { columns: { name: text } };
const pair: Shape = { columns: { a: text, b: text } };
const rename = (from: string, to: string) => `alter table person rename ${from} to ${to}`;

interface Old {
  readonly before: Shape;
  readonly after: Shape;
  readonly ddl: readonly string[];
  readonly row: Row;
  /** The old class can still write, for the table has all of its columns. */
  readonly write?: Row;
}

const migrations: Readonly<Record<string, Old>> = {
  "renamed its column": {
    before: named,
    after: { columns: { full_name: text } },
    ddl: [rename("name", "full_name")],
    row: { id: 1, name: "Ada" },
  },
  "swapped two of its columns": {
    before: pair,
    after: pair,
    ddl: [rename("a", "x"), rename("b", "a"), rename("x", "b")],
    row: { id: 1, a: "a1", b: "b1" },
  },
  "dropped its column": {
    before: pair,
    after: { columns: { a: text } },
    ddl: ["alter table person drop column b"],
    row: { id: 1, a: "a1", b: "b1" },
  },
  "changed its column's type": {
    before: named,
    after: { columns: { name: { type: "int", nullable: true } } },
    ddl: ["alter table person alter column name type int using length(name)"],
    row: { id: 1, name: "Ada" },
  },
  "added a column": {
    before: named,
    after: { columns: { name: text, plan: { ...text, default: "free" } } },
    ddl: ["alter table person add column plan text default 'free'"],
    row: { id: 1, name: "Ada" },
    write: { id: 1, name: "Ada L." },
  },
};

for (const capture of ["trigger", "subscriber"] as const) {
  describe(`a process of the release before, under ${capture} capture`, () => {
    let releases: Releases;
    afterEach(() => releases?.stop());

    for (const [what, { before, after, ddl, row, write }] of Object.entries(migrations)) {
      for (const installed of [false, true]) {
        const when = `after a migration ${what}${installed ? ", and the install" : ", before the install"}`;
        it(`reads in its own shape or says that it is too old, ${when}`, async () => {
          releases = await Releases.start(before, capture);
          const { log, entity, write: writes } = releases.first;
          await writes(["create", row]);
          await log.bookmark(bookmark);
          await releases.ddl(...ddl);
          if (installed) await (await releases.next(after)).log.install();

          const isRight = async (call: string, work: () => Promise<unknown>, wanted: unknown) => {
            const made = await attempt(work);
            if (made.failed) expect(codeOf(made), `${call} gave ${described(made)}`).to.equal("INSTALL_STALE");
            else expect(made.value, call).to.deep.equal(wanted);
          };
          await isRight("at", async () => ({ ...(await log.at(entity, 1, { bookmark })) }), row);
          await isRight("changes", () => log.changes(entity, 1, { from: { bookmark } }), []);
          await isRight("revert", () => log.revert(entity, 1, { bookmark }), null);

          const read: unknown[] = [];
          for await (const { recordId } of log.events()) read.push(recordId);
          expect(read, "events").to.deep.include({ id: 1 });
          expect(await log.history(entity, 1), "history").to.not.have.length(0);
          if (write === undefined) return;
          await writes(["update", write]);
          expect((await log.history(entity, 1)).at(-1), "what it wrote").to.deep.include({
            action: "update",
            data: { name: write["name"] },
          });
        });
      }
    }
  });
}
