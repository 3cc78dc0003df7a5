import { expect } from "chai";
import { Column, Entity, PrimaryColumn, type QueryRunner } from "typeorm";
import { override, Tracked, upcast, withRequestContext } from "../../src/index.js";
import { application, expectUntouched, until } from "./application.js";

@Entity()
@Tracked({ version: { update: 2 } })
class Note {
  @PrimaryColumn("integer") id!: number;
  @Column("text") text!: string;
}

@Entity()
@Tracked()
class Copy {
  @PrimaryColumn("integer") id!: number;
  @Column("text") text!: string;
}

/** Notes whose update is called "copy" are copied as they were then; those called "drop" never were. */
const overrides = [
  override("Note", "update", { versions: [2], actionName: "copy" }, async ({ recordId, data }, state) => {
    await state.update(Note, recordId, data);
    const other = await state.find(Note, 1);
    await state.create(Copy, { id: recordId["id"], text: other?.["text"] ?? "nothing" });
  }),
  override("Note", "create", { versions: [1], actionName: "drop" }, () => undefined),
];

const waiting = `select 1 as waiting from pg_locks l join pg_class c on c.oid = l.relation
  where c.relname = 'gate' and l.mode = 'AccessExclusiveLock' and not l.granted`;

describe("what comes between the fold ahead and the locks", function () {
  this.timeout(30_000);
  const app = application({
    entities: [Note, Copy],
    replay: { overrides, upcasters: [upcast("Note", "update", { from: 1 }, (row) => row)] },
  });
  const called = (actionName: string, work: () => Promise<unknown>) => withRequestContext({ actionName }, work);
  const rows = () =>
    app.sql(
      "select (select array_agg(id || ' ' || text order by id) from note) as notes, (select array_agg(id || ' ' || text order by id) from copy) as copies",
    );

  /** Replays while a transaction is open, which goes on writing when the fold ahead is done. */
  async function replayAround(writer: QueryRunner, write: () => Promise<unknown>) {
    const folded: string[] = [];
    const replay = app.log.replay(undefined, { unknownRows: "delete", onProgress: ({ step }) => folded.push(step) });
    await until(app, waiting);
    await write();
    await writer.commitTransaction();
    await writer.release();
    return { report: await replay, folded };
  }

  it("is staged and folded after it, through the same handlers", async () => {
    const notes = app.dataSource.getRepository(Note);
    await notes.insert([
      { id: 1, text: "one" },
      { id: 2, text: "two" },
    ]);
    await called("copy", () => notes.update(2, { text: "two, copied" }));
    const writer = app.dataSource.createQueryRunner();
    await writer.startTransaction();
    const { report, folded } = await replayAround(writer, async () => {
      await writer.manager.update(Note, 1, { text: "one, changed" });
      await writer.manager.insert(Note, { id: 3, text: "three" });
      await called("copy", () => writer.manager.update(Note, 3, { text: "three, copied" }));
      await called("drop", () => writer.manager.insert(Note, { id: 4, text: "four" }));
      await writer.manager.update(Note, 4, { text: "four, changed" });
    });
    expect(report).to.include({ overridden: 3, skipped: 1 });
    expect(folded.filter((step) => step.startsWith("fold"))).to.deep.equal(["fold Note", "fold Copy"]);
    expect(await rows()).to.deep.equal([
      { notes: ["1 one, changed", "2 two, copied", "3 three, copied"], copies: ["2 one", "3 one, changed"] },
    ]);
    expectUntouched(await app.log.replay());
  });

  it("makes all of it be folded again where a handler read past an event that came to light since", async () => {
    const notes = app.dataSource.getRepository(Note);
    await notes.insert([
      { id: 1, text: "one" },
      { id: 2, text: "two" },
    ]);
    const writer = app.dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.manager.update(Note, 1, { text: "one, changed before the copy" });
    await called("copy", () => notes.update(2, { text: "two, copied" }));
    const { folded } = await replayAround(writer, () => Promise.resolve());
    expect(folded.filter((step) => step.startsWith("fold"))).to.have.length(4);
    expect(await rows()).to.deep.equal([
      { notes: ["1 one, changed before the copy", "2 two, copied"], copies: ["2 one, changed before the copy"] },
    ]);
    expectUntouched(await app.log.replay());
  });

  it("is seen by a replay to the past as what it leads away from", async () => {
    const notes = app.dataSource.getRepository(Note);
    await notes.insert({ id: 1, text: "one" });
    const position = await app.position();
    const writer = app.dataSource.createQueryRunner();
    await writer.startTransaction();
    const replay = app.log.replay(position);
    await until(app, waiting);
    await writer.manager.update(Note, 1, { text: "late" });
    await writer.commitTransaction();
    await writer.release();
    expect(await replay).to.include({ recorded: 1, drift: 0 });
    expect((await app.events()).map(({ data }) => data)).to.deep.equal([
      { id: 1, text: "one" },
      { text: "late" },
      { text: "one" },
    ]);
  });
});
