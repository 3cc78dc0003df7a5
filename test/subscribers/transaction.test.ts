import { expect } from "chai";
import type { TrackedTable } from "../../src/log/tracked-tables.js";
import { Transaction } from "../../subscribers/transaction.js";

describe("what is known of a connection's transaction", () => {
  let transaction: Transaction;
  const touch = () =>
    transaction.notes.add({ table: {} as TrackedTable, verb: "insert", context: undefined, keys: [] });
  const known = () => ({
    open: transaction.open,
    told: transaction.told,
    locked: transaction.locked,
    noted: !transaction.notes.isEmpty,
  });
  const nothing = { open: false, told: "", locked: false, noted: false };

  /** An open transaction that holds the lock and has a note. */
  function work(): void {
    transaction.begin("START TRANSACTION");
    transaction.told = "ada";
    transaction.locked = true;
    touch();
  }
  beforeEach(() => (transaction = new Transaction()));

  it("is nothing at first", () => {
    expect(known()).to.deep.equal(nothing);
  });

  it("begins with nothing that was set, and with no notes of statements before it", () => {
    touch();
    transaction.locked = true;
    transaction.begin("START TRANSACTION");
    expect(known()).to.deep.equal({ open: true, told: "", locked: false, noted: false });
  });

  it("goes on where it is begun again, which Postgres only warns of", () => {
    work();
    transaction.begin("BEGIN");
    expect(known(), "what was set goes on too, if the transaction was one").to.include({
      open: true,
      noted: true,
      told: undefined,
    });
  });

  it("is over again where one message begins and ends it", () => {
    transaction.begin("BEGIN; COMMIT");
    expect(known()).to.deep.equal(nothing);
  });

  for (const text of ["COMMIT", "ROLLBACK", "commit and no chain"]) {
    it(`ends with ${text}`, () => {
      work();
      transaction.follow(text);
      expect(known()).to.deep.equal(nothing);
      transaction.follow("savepoint a");
      touch();
      transaction.follow("rollback to savepoint a");
      expect(known(), "no savepoint is known outside of one").to.deep.equal({ ...nothing, noted: true });
    });
  }

  it("is followed by another one after AND CHAIN, if it was open", () => {
    work();
    transaction.follow("commit and  chain");
    expect(known()).to.deep.equal({ ...nothing, open: true });
    transaction.end();
    transaction.follow("rollback and chain");
    expect(known()).to.deep.equal(nothing);
  });

  it("is open behind a message that ends one and begins the next, not for what a literal says", () => {
    work();
    transaction.follow("commit; begin");
    expect(known()).to.deep.equal({ ...nothing, open: true });
    transaction.follow("insert into tag values ('rock and chain'); commit");
    expect(known()).to.deep.equal(nothing);
    transaction.begin("begin; commit; start transaction");
    expect(known()).to.include({ open: true, told: "" });
  });

  it("does not know what it told and locked before a savepoint that is returned to", () => {
    work();
    transaction.follow("savepoint a");
    expect(known()).to.deep.equal({ open: true, told: "ada", locked: true, noted: true });
    transaction.notes.take();
    transaction.follow("savepoint a");
    touch();
    transaction.follow("rollback to savepoint a");
    expect(known()).to.deep.equal({ open: true, told: undefined, locked: false, noted: false });
  });

  it("knows what it told and locked after every other statement", () => {
    work();
    for (const text of ["select 1", "release savepoint a", "savepoint b"]) transaction.follow(text);
    expect(known()).to.deep.equal({ open: true, told: "ada", locked: true, noted: true });
  });

  it("is nothing outside of one, whatever returns to a savepoint there", () => {
    transaction.follow("rollback to savepoint a");
    expect(known()).to.deep.equal(nothing);
  });
});
