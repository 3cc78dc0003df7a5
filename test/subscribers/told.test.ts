import { expect } from "chai";
import type pg from "pg";
import { withRequestContext } from "../../src/index.js";
import { TrackedApplication } from "../tracked-application.js";
import { blog, Tag } from "./entities/blog.js";

const ada = { actor: { type: "user", id: "Ada" } };
/** Too large for a comment: it is set for the transaction. */
const grace = { actor: { type: "user", id: "Grace" }, metadata: { long: "x".repeat(9_000) } };

describe("what the server was told of who acts", () => {
  let application: TrackedApplication;
  before(async () => (application = await TrackedApplication.start(blog, { dataSource: { poolSize: 1 } })));
  after(() => application?.stop());
  beforeEach(() =>
    application.query(
      "select set_config('test.mark', (select coalesce(max(position), 0)::text from chronicle.event), false)",
    ),
  );

  const actors = async () => {
    const rows = await application.query(
      "select actor_id from chronicle.event where position > current_setting('test.mark')::bigint order by position",
    );
    return rows.map(({ actor_id }) => actor_id);
  };

  it("ends with the transaction: the same person's next write on the connection says it anew", async () => {
    await withRequestContext(ada, async () => {
      await application.manager.transaction((manager) => manager.insert(Tag, { name: "in a transaction" }));
      await application.manager.insert(Tag, { name: "after it" });
    });
    await application.manager.insert(Tag, { name: "by nobody" });
    expect(await actors()).to.deep.equal(["Ada", "Ada", null]);
  });

  it("is told whole to a block that cannot be put into a transaction, however large", async () => {
    const block = "do $$ begin insert into tag values ('of a block'); end $$";
    await withRequestContext(grace, () => application.manager.query(block));
    expect(await actors()).to.deep.equal(["Grace"]);
  });

  it("ends with the transaction also if it was large", async () => {
    const inTransaction = (name: string) => application.manager.transaction((manager) => manager.insert(Tag, { name }));
    await withRequestContext(grace, async () => {
      await inTransaction("large, in a transaction");
      await inTransaction("large, in the next one");
    });
    expect(await actors()).to.deep.equal(["Grace", "Grace"]);
  });

  it("goes on in a transaction that is begun again", async () => {
    const runner = application.dataSource.createQueryRunner();
    await runner.query("begin");
    await withRequestContext(grace, () => runner.manager.insert(Tag, { name: "of a large context" }));
    await runner.query("begin");
    const named = { name: "by nobody, named", text: "insert into tag values ('by nobody, named')" };
    await ((await runner.connect()) as pg.ClientBase).query(named);
    await runner.query("commit");
    await runner.release();
    expect(await actors()).to.deep.equal(["Grace", null]);
  });

  it("goes back with the savepoint in which it was said", async () => {
    const runner = application.dataSource.createQueryRunner();
    await withRequestContext(ada, () => runner.startTransaction());
    await withRequestContext(grace, async () => {
      await runner.query("savepoint mine");
      await runner.manager.insert(Tag, { name: "taken back" });
      await runner.query("rollback to savepoint mine");
      await runner.manager.insert(Tag, { name: "kept" });
    });
    await runner.commitTransaction();
    await runner.release();
    expect(await actors()).to.deep.equal(["Grace"]);
  });
});
