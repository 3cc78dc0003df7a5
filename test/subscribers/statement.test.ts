import { expect } from "chai";
import { withRequestContext } from "../../src/index.js";
import { endsTransaction, returnsToSavepoint } from "../../subscribers/statement.js";
import { TrackedApplication } from "../tracked-application.js";
import { blog, Tag } from "./entities/blog.js";

describe("the commands of a statement", () => {
  const end = ["commit", " END;", "/* a */ rollback", "select 1; commit", "abort -- now", "prepare transaction 'x'"];
  for (const text of end)
    it(`has the end of a transaction in ${text}`, () => expect(endsTransaction(text)).to.equal(true));

  const goOn = [
    "rollback to savepoint a",
    "do $$ begin update tag set color = null; end $$",
    "do $body$ begin begin null; end; rollback; end $body$",
    "insert into tag values ('a; commit')",
    "insert into tag values (e'it\\'s; commit')",
    `update tag set "a; end" = 1`,
    "select 1 -- ; commit",
    "select 1 /* ; commit */",
    "create function one() returns integer begin atomic select 1; end",
    "select $1, 'a$$; commit; $$'",
  ];
  for (const text of goOn) it(`has no end of one in ${text}`, () => expect(endsTransaction(text)).to.equal(false));

  it("has a return to a savepoint where it is a command", () => {
    expect(returnsToSavepoint("rollback to a")).to.equal(true);
    expect(returnsToSavepoint("insert into tag values ('; rollback to a')")).to.equal(false);
  });
});

describe("a transaction of the application", () => {
  let application: TrackedApplication;
  before(async () => (application = await TrackedApplication.start(blog)));
  after(() => application?.stop());

  const large = { metadata: { long: "x".repeat(3000) } };

  for (const [how, begin] of [
    ["TypeORM", (runner: ReturnType<typeof newRunner>) => runner.startTransaction()],
    ["a command behind another", (runner: ReturnType<typeof newRunner>) => runner.query("select 1; begin")],
  ] as const) {
    it(`opened by ${how} goes back whole after a block and a write with a large context`, async () => {
      const runner = newRunner();
      try {
        await begin(runner);
        await runner.query("do $$ begin perform 1; end $$");
        await withRequestContext(large, () => runner.manager.insert(Tag, { name: how }));
        await runner.query("rollback");
      } finally {
        await runner.release();
      }
      expect(await application.manager.findOneBy(Tag, { name: how })).to.equal(null);
      expect(await application.countEvents()).to.equal(0);
    });
  }

  function newRunner() {
    return application.dataSource.createQueryRunner();
  }
});
