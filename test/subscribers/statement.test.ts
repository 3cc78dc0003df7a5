import { expect } from "chai";
import { withRequestContext } from "../../src/index.js";
import {
  endOfBegin,
  endsTransaction,
  fitsInTransaction,
  keepsTransaction,
  isOpenBehind,
  mayWrite,
  movesTransaction,
  returnsToSavepoint,
  savepointsOf,
} from "../../subscribers/statement.js";
import { TrackedApplication } from "../tracked-application.js";
import { blog, Tag } from "./entities/blog.js";

/** For titles. */
const inLine = (text: string): string => text.replaceAll(/\s+/g, " ");

describe("the commands of a statement", () => {
  const ends = {
    kept: [
      "commit",
      " END;",
      "select 1; commit",
      "select 1;\n  commit work",
      "commit -- prepared",
      "prepare transaction 'x'",
      "PREPARE\n  TRANSACTION 'x'",
    ],
    taken: [
      "/* a */ rollback",
      "rollback;",
      "rollback work",
      "Rollback  Transaction and chain",
      "-- a\n  -- b\nabort",
      "abort -- now",
      "select 1 ;  rollback",
      "/* a * b */ /**/ rollback",
      "rollback; select 'to'",
    ],
    // It is not this one that it commits.
    prepared: ["commit prepared 'x'", "COMMIT\n  PREPARED 'x'"],
  };
  for (const [how, texts] of Object.entries(ends)) {
    for (const text of texts) {
      it(`has the end of a transaction in ${inLine(text)}, ${how}`, () => {
        expect({ ends: endsTransaction(text), kept: keepsTransaction(text) }).to.deep.equal({
          ends: true,
          kept: how === "kept",
        });
      });
    }
  }

  const opened: [text: string, before: boolean, behind: boolean][] = [
    ["begin", false, true],
    ["START\n TRANSACTION isolation level serializable", false, true],
    ["begin; commit", false, false],
    ["commit; begin", true, true],
    ["rollback and chain", true, true],
    ["commit  work  and  chain", true, true],
    ["rollback and chain", false, false],
    ["commit and no chain", true, false],
    ["commit; select 1 as and_chain", true, false],
    ["insert into tag values ('and chain'); end", true, false],
    ["prepare transaction 'x'", true, false],
    ["abort and chain; rollback", true, false],
    ["rollback to a", true, true],
    ["select 1", true, true],
    ["select 1", false, false],
    ["rollback\n to a", true, true],
    ["rollback  work  to a", true, true],
    ["rollback  transaction\n to savepoint a", true, true],
    ["prepare  transaction 'x'", true, false],
    ["create function one() returns integer begin atomic select 1; end", true, true],
  ];
  for (const [text, before, behind] of opened) {
    it(`has ${behind ? "an open" : "no"} transaction behind ${inLine(text)}`, () =>
      expect(isOpenBehind(text, before)).to.equal(behind));
  }

  const goOn = [
    "select 1",
    "rollback to savepoint a",
    "rollback  work  to a",
    "rollback\n transaction\n to a",
    "savepoint commit_later",
    "release savepoint a",
    "prepare commit_later as select 1",
    "select committed, ended from tag",
    "update tag set ended = 1; select 1 as commit",
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
  for (const text of goOn) {
    it(`has no end of one in ${inLine(text)}`, () =>
      expect([endsTransaction(text), keepsTransaction(text)]).to.deep.equal([false, false]));
  }

  const returns = [
    "rollback to a",
    "ROLLBACK  WORK  TO a",
    "rollback transaction\n to savepoint a",
    "select 1;  rollback\nto a",
  ];
  for (const text of returns) {
    it(`has a return to a savepoint in ${inLine(text)}`, () => expect(returnsToSavepoint(text)).to.equal(true));
  }
  for (const text of [
    "rollback",
    "rollback and chain",
    "insert into tag values ('; rollback to a')",
    "rollback; select a to",
  ]) {
    it(`has none in ${inLine(text)}`, () => expect(returnsToSavepoint(text)).to.equal(false));
  }

  const savepoints: [string, ...string[]][] = [
    ["savepoint a", "savepoint a"],
    ["SAVEPOINT\n  Mine_1$", "savepoint mine_1$"],
    ['savepoint "Mine ""own"""', 'savepoint Mine "own"'],
    ["release a", "release a"],
    ["release  savepoint  Typeorm_1", "release typeorm_1"],
    ["rollback to a", "rollback a"],
    ["rollback  to  savepoint  A", "rollback a"],
    ["rollback  work  to a", "rollback a"],
    ['rollback  transaction  to savepoint "A"', "rollback A"],
    ["savepoint a; insert into tag values ('; savepoint b');  release a", "savepoint a", "release a"],
    ["/* a */ savepoint b -- ; savepoint c", "savepoint b"],
    ["rollback"],
    ["rollback; savepoint a", "savepoint a"],
    ["commit"],
    ["select 1"],
    ["select 'savepoint a'"],
  ];
  for (const [text, ...expected] of savepoints) {
    it(`names ${expected.length === 0 ? "no savepoint" : expected.join(" and ")} in ${inLine(text)}`, () =>
      expect(savepointsOf(text).map(({ command, name }) => `${command} ${name}`)).to.deep.equal(expected));
  }

  const begins: [text: string, begin: string][] = [
    ["begin", "begin"],
    ["START  TRANSACTION", "START  TRANSACTION"],
    ["  -- a\n begin isolation level serializable; select 1", "  -- a\n begin isolation level serializable"],
    ["/* a * b */ start transaction read only; insert", "/* a * b */ start transaction read only"],
  ];
  for (const [text, begin] of begins) {
    it(`opens a transaction by ${inLine(text)}`, () => expect(text.slice(0, endOfBegin(text))).to.equal(begin));
  }
  for (const text of ["select 1; begin", "beginning", "start", "starttransaction"]) {
    it(`opens none by ${inLine(text)}`, () => expect(endOfBegin(text)).to.equal(-1));
  }

  const session =
    "begin start set show reset savepoint release rollback listen unlisten deallocate discard checkpoint".split(" ");
  const rows = "insert update delete merge with select values table copy truncate execute".split(" ");
  for (const word of session) {
    it(`writes no rows by ${word}`, () => {
      expect(mayWrite(`/* a */ ${word.toUpperCase()} a`)).to.equal(false);
      expect(fitsInTransaction(`${word} a`)).to.equal(false);
    });
  }
  for (const word of rows) {
    it(`may write rows by ${word}, in any transaction`, () => {
      expect(mayWrite(`${word} a`)).to.equal(true);
      expect(fitsInTransaction(`-- a\n ${word.toUpperCase()} a`)).to.equal(true);
    });
  }
  for (const text of [
    "set constraints all immediate",
    "set\n CONSTRAINTS a deferred; commit",
    "set a = 1; insert into tag values ('a')",
    "savepoint a; insert into tag values ('a')",
    "begin; insert into tag values ('a')",
    "select 1; begin",
    "select 1; /* a */ start transaction",
    "vacuum tag",
    "call insert_all()",
    "do $$ begin delete from tag; end $$",
    "settle",
    "selection",
    "alter table tag set logged",
  ]) {
    it(`may write rows by ${inLine(text)}, but not in any transaction`, () => {
      expect(mayWrite(text)).to.equal(true);
      expect(fitsInTransaction(text)).to.equal(false);
    });
  }
});

describe("a text that moves the transaction", () => {
  const inTheMiddle = ["insert into tag values ('a'); begin", "begin; select 1", "commit", "select 1; rollback to a"];
  for (const text of inTheMiddle) it(`is ${text}`, () => expect(movesTransaction(text)).to.equal(true));
  for (const text of ["insert into tag values ('begin; commit')", "select 1; savepoint a", "call rollback_to_a()"])
    it(`is not ${text}`, () => expect(movesTransaction(text)).to.equal(false));
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
