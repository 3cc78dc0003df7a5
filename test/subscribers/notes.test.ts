import { expect } from "chai";
import type { TrackedTable } from "../../src/log/tracked-tables.js";
import { Notes, notesOf, type Touch, type Verb } from "../../subscribers/notes.js";

const tableOf = (tableName: string) => ({ tableName }) as TrackedTable;
const [accounts, orders] = [tableOf("public.account"), tableOf("public.order")];
const touch = (verb: Verb, ...keys: string[]): Touch => ({ table: accounts, verb, context: undefined, keys });

describe("the notes of a transaction", () => {
  let notes: Notes;
  const verbs = () => notes.take().map(({ verb }) => verb);
  beforeEach(() => (notes = new Notes()));

  it("are what was touched, in order, once", () => {
    expect(notes.isEmpty).to.equal(true);
    const first = touch("insert", "[1]");
    expect(notes.add(first)).to.equal(first);
    notes.add(touch("update", "[1]"));
    expect(notes.isEmpty).to.equal(false);
    expect(verbs()).to.deep.equal(["insert", "update"]);
    expect(notes.isEmpty).to.equal(true);
    expect(verbs()).to.deep.equal([]);
  });

  it("lose what was done since a savepoint that is returned to, as often as it is", () => {
    notes.add(touch("insert"));
    notes.savepoint("a");
    notes.add(touch("update"));
    notes.rollback("a");
    notes.add(touch("delete"));
    notes.rollback("a");
    expect(verbs()).to.deep.equal(["insert"]);
  });

  it("return to the latest savepoint of a name, to the one before when that is released", () => {
    notes.savepoint("a");
    notes.add(touch("insert"));
    notes.savepoint("a");
    notes.add(touch("update"));
    notes.rollback("a");
    notes.release("a");
    notes.add(touch("delete"));
    notes.rollback("a");
    expect(verbs()).to.deep.equal([]);
  });

  it("release with a savepoint those made after it, and keep what was done since", () => {
    notes.savepoint("a");
    notes.savepoint("b");
    notes.add(touch("insert"));
    notes.savepoint("c");
    notes.release("b");
    notes.add(touch("update"));
    notes.rollback("c");
    notes.rollback("b");
    expect(verbs()).to.deep.equal(["insert", "update"]);
    notes.add(touch("delete"));
    notes.rollback("a");
    expect(notes.isEmpty, "savepoints go with the transaction whose notes were taken").to.equal(false);
  });

  it("know a savepoint no more that was released", () => {
    notes.savepoint("a");
    notes.add(touch("insert"));
    notes.release("a");
    notes.rollback("a");
    expect(verbs()).to.deep.equal(["insert"]);
  });

  it("leave savepoints alone that they do not know", () => {
    notes.savepoint("a");
    notes.add(touch("insert"));
    notes.release("b");
    notes.rollback("b");
    expect(notes.isEmpty).to.equal(false);
    notes.rollback("a");
    expect(notes.isEmpty).to.equal(true);
  });

  it("forget everything with the transaction", () => {
    notes.add(touch("insert"));
    notes.show(accounts, {});
    notes.clear();
    expect(notes.isEmpty).to.equal(true);
    expect(notes.isShown(accounts)).to.equal(false);
  });
});

describe("what hooks show", () => {
  let notes: Notes;
  beforeEach(() => (notes = new Notes()));

  it("is shown for its table, between its hook before and its hook after", () => {
    const account = {};
    expect(notes.isShown(accounts)).to.equal(false);
    notes.show(accounts, account);
    expect([notes.isShown(accounts), notes.isShown(orders)]).to.deep.equal([true, false]);
    notes.conceal(accounts, account);
    expect(notes.isShown(accounts)).to.equal(false);
  });

  it("is shown until the last of several subjects is written, also where they have no entity", () => {
    for (let shown = 0; shown < 3; shown++) notes.show(accounts, undefined);
    for (const isShown of [true, true, false]) {
      notes.conceal(accounts, undefined);
      expect(notes.isShown(accounts)).to.equal(isShown);
    }
  });

  it("is not there for a hook after without one before", () => {
    notes.conceal(orders, {});
    expect(notes.isShown(orders)).to.equal(false);
    const account = {};
    notes.show(accounts, account);
    notes.conceal(accounts, {});
    expect(notes.isShown(accounts)).to.equal(true);
    notes.conceal(accounts, account);
    notes.conceal(accounts, account);
    notes.show(accounts, account);
    notes.conceal(accounts, account);
    expect(notes.isShown(accounts)).to.equal(false);
  });

  it("is as it was at a savepoint that is returned to", () => {
    const [before, after] = [{}, {}];
    notes.show(accounts, before);
    notes.savepoint("a");
    notes.conceal(accounts, before);
    notes.show(orders, after);
    for (let times = 0; times < 2; times++) {
      notes.rollback("a");
      expect([notes.isShown(accounts), notes.isShown(orders)]).to.deep.equal([true, false]);
      notes.conceal(accounts, before);
    }
    expect(notes.isShown(accounts)).to.equal(false);
  });
});

describe("the notes of records", () => {
  it("are one for each, in the order in which they were touched first, with its first and its last verb", () => {
    const context = { context: {}, json: { text: "{}", bytes: 2, depth: 1 } } as unknown as Touch["context"];
    const touches = [
      touch("insert", "[1]", "[2]"),
      { ...touch("insert", "[1]"), table: orders },
      { ...touch("update", "[1]"), context },
      touch("delete", "[2]"),
    ];
    const told = notesOf(touches).map(({ table, key, first, last }) => [table.tableName, key, first, last].join(" "));
    expect(told).to.deep.equal([
      "public.account [1] insert update",
      "public.account [2] insert delete",
      "public.order [1] insert insert",
    ]);
    expect(notesOf(touches)[0]?.context, "who touched it last").to.equal(context);
  });
});
