import { expect } from "chai";
import { startPostgres } from "../../dev/postgres.mjs";
import { type RecordedEvent } from "../../src/index.js";
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
    const all = await app.events();
    const open = all.find(({ data }) => data.note === "open")?.position;
    expect(await take(app.log.tail({ after: open }), 3)).to.deep.equal(["2", "3", "4"]);
  });

  it("waits for a transaction that began before, and never lets one overtake it", async () => {
    const one = await app.connect();
    await one.query("begin; insert into parcel (note) values ('a')");
    const taken = take(app.log.tail({ after: 0n }), 4);
    await put("b");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await one.query("insert into parcel (note) values ('c')");
    await put("d");
    await one.query("commit");
    expect(await taken).to.deep.equal(["a", "c", "b", "d"]);
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
    for (const options of [{ after: 7 }, { after: -1n }, { after: "7" }, { after: null }, { from: 1n }])
      expect(await rejectionOf(next(options))).to.include({ code: "OPTIONS_INVALID" });
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

describe("a tail, where the server has prepared transactions", function () {
  this.timeout(120_000);
  const given = process.env["DATABASE_URL"];
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
  before(async () => {
    server = await startPostgres({ server: "own", settings: { max_prepared_transactions: 4 } });
    process.env["DATABASE_URL"] = server.url;
  });
  const app = application({ entities: tailEntities });
  after(async () => {
    if (given === undefined) delete process.env["DATABASE_URL"];
    else process.env["DATABASE_URL"] = given;
    await server?.stop();
  });

  it("keeps no transaction from being prepared, and gives its events when it is committed", async () => {
    const tail = app.log.tail()[Symbol.asyncIterator]();
    const first = tail.next();
    while ((await app.sql("select from chronicle.sleeping_tail where until > now()")).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const client = await app.connect();
    await client.query("begin; insert into parcel (note) values ('prepared'); prepare transaction 'one'");
    await client.query("commit prepared 'one'");
    expect((await first).value).to.deep.include({ data: { id: "1", note: "prepared" } });
    await tail.return?.();
  });
});
