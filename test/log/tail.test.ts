import { expect } from "chai";
import pg from "pg";
import type { RecordedEvent, TailedEvent } from "../../src/index.js";
import { loggerInto } from "../logger-into.js";
import { application, rejectionOf } from "../replay/application.js";
import { seeded } from "../seeded.js";
import { tailEntities, tailLoad } from "./tail-load.js";

describe("a tail", () => {
  const app = application({ entities: tailEntities });
  const put = (note: string) => app.sql("insert into parcel (note) values ($1)", [note]);

  /** The notes of the next events. */
  async function take(tail: AsyncIterable<RecordedEvent>, count: number): Promise<unknown[]> {
    const notes: unknown[] = [];
    for await (const { data } of tail) {
      notes.push(data.note);
      if (notes.length === count) break;
    }
    return notes;
  }

  it("gives what is written from now on, soon, and nothing of before", async () => {
    await put("before");
    const tail = app.log.tail()[Symbol.asyncIterator]();
    const first = tail.next();
    await sleeping();
    const wakes: unknown[] = [];
    const listener = await app.connect();
    listener.on("notification", ({ channel }) => wakes.push(channel));
    await listener.query("listen chronicle");
    await put("after");
    expect((await first).value).to.deep.include({ entity: "Parcel", data: { id: "2", note: "after" } });
    await listener.query("select 1");
    expect(wakes, "the tail was woken").to.deep.equal(["chronicle"]);
    expect((await tail.return?.())?.done).to.equal(true);
    await app.sql("delete from chronicle.sleeping_tail");
    await put("nobody sleeps");
    await listener.query("select 1");
    expect(wakes, "a write that nobody waits for notifies nobody").to.have.lengthOf(1);
  });

  async function sleeping(): Promise<void> {
    while ((await app.sql("select from chronicle.sleeping_tail where until > now()")).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  it("goes on after an event, from the beginning, and after a bookmark with those who were open then", async () => {
    const one = await app.connect();
    await put("1");
    await one.query("begin; insert into parcel (note) values ('open')");
    await put("2");
    await app.log.bookmark("between");
    await put("3");
    await one.query("commit");
    await put("4");
    expect(await take(app.log.tail({ after: 0n }), 5)).to.deep.equal(["1", "open", "2", "3", "4"]);
    expect(await take(app.log.tail({ after: { bookmark: "between" } }), 3)).to.deep.equal(["open", "3", "4"]);
    for await (const { cursor, data } of app.log.tail({ after: 0n })) {
      if (data.note !== "open") continue;
      expect(await take(app.log.tail({ after: cursor }), 3)).to.deep.equal(["2", "3", "4"]);
      break;
    }
  });

  it("goes on after a position, and warns where that does not say what was given", async () => {
    const warnings: string[] = [];
    const { log } = await app.open({ ...app.setting, dataSource: { logger: loggerInto(warnings) } });
    const [one, two] = [await app.connect(), await app.connect()];
    await put("1");
    await one.query("begin; insert into parcel (note) values ('open')");
    await put("2");
    await two.query("begin; insert into parcel (note) values ('later')");
    await put("3");
    const positions = new Map((await app.events()).map(({ position, data }) => [data.note, position]));
    const notesAfter = async (note: string, count: number) => take(log.tail({ after: positions.get(note) }), count);
    expect(await notesAfter("1", 2)).to.deep.equal(["2", "3"]);
    expect(warnings).to.deep.equal([]);
    const cut = notesAfter("2", 3);
    while (warnings.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await one.query("commit");
    await put("4");
    expect(await cut).to.have.members(["3", "4", "open"]);
    await two.query("commit");
    expect(warnings).to.have.lengthOf(1);
    const [, cursor = ""] = /goes on after "([^"]+)"/.exec(warnings[0] ?? "") ?? [];
    expect(await take(log.tail({ after: cursor }), 4)).to.have.members(["3", "4", "later", "open"]);
  });

  it("is held back by nobody who is open, with a transaction id or a snapshot, in whatever database", async () => {
    const role = `stranger_${Date.now()}`;
    const as = (url: string) => Object.assign(new URL(url), { username: role }).href;
    await app.sql(`create role ${role} login`);
    const strangers = [app.url, app.url, process.env["DATABASE_URL"] ?? ""].map(
      (url) => new pg.Client({ connectionString: as(url) }),
    );
    try {
      for (const stranger of strangers) await stranger.connect();
      await strangers[0]?.query("begin; select pg_current_xact_id()");
      await strangers[1]?.query("begin isolation level repeatable read; select 1");
      await strangers[2]?.query("begin; savepoint s; select pg_current_xact_id()");
      const tail = app.log.tail({ after: 0n })[Symbol.asyncIterator]();
      for (const note of ["1", "2", "3"]) {
        await put(note);
        expect((await tail.next()).value).to.have.nested.property("data.note", note);
      }
      await tail.return?.();
      expect(await take(app.log.tail({ after: 0n }), 3)).to.deep.equal(["1", "2", "3"]);
    } finally {
      for (const stranger of strangers) await stranger.end().catch(() => undefined);
      await app.sql(`drop role ${role}`);
    }
  });

  it("gives a transaction that commits late when it does, whole, and after it what came meanwhile", async () => {
    const one = await app.connect();
    const two = await app.connect();
    await one.query("begin; insert into parcel (note) values ('late 1')");
    await put("a");
    await two.query("begin; insert into parcel (note) values ('never')");
    const tail = app.log.tail({ after: 0n })[Symbol.asyncIterator]();
    let last = 0n;
    const next = async () => {
      const { cursor, transactionId, data } = (await tail.next()).value as TailedEvent;
      if (transactionId > last) last = transactionId;
      // The ids of transactions that wrote nothing are drawn again if the server crashes now.
      expect(Number(cursor.split(":")[2]), "what the cursor knows").to.be.at.most(Number(last) + 1);
      return data.note;
    };
    expect(await next()).to.equal("a");
    await put("b");
    expect(await next()).to.equal("b");
    const third = next();
    await one.query("savepoint s; insert into parcel (note) values ('late 2'); release savepoint s");
    await app.sql("do $$ begin for n in 1..3000 loop perform pg_current_xact_id(); commit; end loop; end $$");
    await two.query("rollback");
    await sleeping();
    await one.query("commit");
    const rest = [await third, await next()];
    await put("c");
    expect([...rest, await next()]).to.deep.equal(["late 1", "late 2", "c"]);
    await tail.return?.();
  });

  it("orders what was committed between two looks by transaction, then position", async () => {
    const one = await app.connect();
    await one.query("begin; insert into parcel (note) values ('a')");
    await put("b");
    await one.query("insert into parcel (note) values ('c')");
    await put("d");
    await one.query("commit");
    expect(await take(app.log.tail({ after: 0n }), 4)).to.deep.equal(["a", "c", "b", "d"]);
  });

  it("reads through large transactions and wide gaps, each event once", async function () {
    this.timeout(60_000);
    await app.sql("insert into parcel (note) select n::text from generate_series(1, 4500) n");
    await app.sql("do $$ begin for n in 1..3000 loop perform pg_current_xact_id(); commit; end loop; end $$");
    for (let transaction = 0; transaction < 10; transaction++)
      await app.sql("insert into parcel (note) select n::text from generate_series(1, 260) n");
    const notes = await take(app.log.tail({ after: 0n }), 7_100);
    const wanted = (length: number) => Array.from({ length }, (_, index) => String(index + 1));
    expect(notes).to.deep.equal([...wanted(4_500), ...Array.from({ length: 10 }, () => wanted(260)).flat()]);
  });

  it("goes from one cluster's transactions to the next one's", async () => {
    await put("old 1");
    await put("old 2");
    await app.sql("update chronicle.installation set system_identifier = 'another'");
    await app.log.install();
    await app.sql(
      "begin; alter table chronicle.event disable trigger append_only; update chronicle.event set transaction_id = (transaction_id::text::bigint + 1000000)::text::xid8; alter table chronicle.event enable trigger append_only; commit",
    );
    await put("new");
    expect(await take(app.log.tail({ after: 0n }), 3)).to.deep.equal(["old 1", "old 2", "new"]);
    const [first] = await app.events();
    expect(await take(app.log.tail({ after: first?.position }), 2)).to.deep.equal(["old 2", "new"]);
    const cursors: string[] = [];
    for await (const { cursor } of app.log.tail({ after: 0n })) if (cursors.push(cursor) === 2) break;
    expect(await take(app.log.tail({ after: cursors[0] }), 2)).to.deep.equal(["old 2", "new"]);
    expect(await take(app.log.tail({ after: cursors[1] }), 1)).to.deep.equal(["new"]);
  });

  it("ends quietly when it is aborted, and leaves no connection", async () => {
    const controller = new AbortController();
    const ended = take(app.log.tail({ signal: controller.signal }), 1);
    await sleeping();
    controller.abort();
    expect(await ended).to.deep.equal([]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(
      await app.sql(
        "select query from pg_stat_activity where datname = current_database() and query like '%sleeping_tail%' and pid <> pg_backend_pid()",
      ),
    ).to.deep.equal([]);
  });

  it("refuses to go on after what it never gave", async () => {
    await put("1");
    const next = (options: object) => app.log.tail(options)[Symbol.asyncIterator]().next();
    expect(await rejectionOf(next({ after: 1_000n }))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(await rejectionOf(next({ after: { bookmark: "none" } }))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    for (const options of [{ after: 7 }, { after: -1n }, { after: 2n ** 63n }, { after: null }, { from: 1n }])
      expect(await rejectionOf(next(options))).to.include({ code: "OPTIONS_INVALID" });
  });

  it("refuses a cursor that no tail gives, and one of another log, of a later epoch or of a lost server", async () => {
    await put("1");
    const tail = app.log.tail({ after: 0n })[Symbol.asyncIterator]();
    const { cursor } = (await tail.next()).value as TailedEvent;
    await tail.return?.();
    const next = (after: string) => app.log.tail({ after })[Symbol.asyncIterator]().next();
    const [epoch, xmin, xmax, xip, transaction, position] = cursor.split(":").map(String);
    const cursorOf = (parts: object) =>
      Object.values({ epoch, xmin, xmax, xip, transaction, position, ...parts }).join(":");
    expect(cursorOf({})).to.equal(cursor);
    const later = String(BigInt(transaction ?? 0) + 1_000_000n);
    const malformed = [
      "",
      "7",
      cursor.slice(1),
      `${cursor} `,
      `${cursor}:1`,
      cursorOf({ epoch: "01" }),
      cursorOf({ epoch: "32768" }),
      cursorOf({ position: String(2n ** 63n) }),
      cursorOf({ position: "x" }),
      cursorOf({ xmin: "1" }),
      cursorOf({ xmin: "5", xip: "5,5" }),
      cursorOf({ xmin: "6", xip: "6,5" }),
      cursorOf({ xmin: "0", xip: "0" }),
      cursorOf({ xmin: xmax, xip: xmax }),
      cursorOf({ transaction: later }),
      cursorOf({ transaction: "5" }),
    ];
    for (const after of malformed)
      expect(await rejectionOf(next(after)), after).to.include({ code: "OPTIONS_INVALID" });
    const others = {
      "is of epoch": cursorOf({ epoch: String(Number(epoch) + 1) }),
      "is not of the cursor's transaction": cursorOf({ epoch: "0" }),
      "no event at position": cursorOf({ position: "1000" }),
      "is of another log": cursorOf({ xmin: "5", xip: "5", transaction: "5" }),
      "has not begun": cursorOf({ xmin: transaction, xmax: later, xip: transaction }),
    };
    for (const [what, after] of Object.entries(others)) {
      const error = await rejectionOf(next(after));
      expect(error, after).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
      expect(error.message).to.include(what);
    }
  });

  it("misses and doubles nothing under load, where a reader by position does", async function () {
    this.timeout(180_000);
    const counts = await tailLoad({ url: app.url, log: app.log, events: 5_000, writers: 16, random: seeded(7) });
    expect(counts).to.include({ missed: 0, doubled: 0, outOfOrder: 0 });
    expect(counts.naiveMissed, "what position > mark missed").to.be.greaterThan(0);
    expect(counts.tailsResumed).to.be.greaterThan(0);
    expect(counts.writersCut).to.be.greaterThan(0);
  });
});
