import { expect } from "chai";
import { Column, DeleteDateColumn, Entity, ManyToOne, PrimaryGeneratedColumn } from "typeorm";
import { override, Sensitive, Tracked, upcast, withRequestContext } from "../../src/index.js";
import { differencesOf, type LiveRows } from "../live-rows.js";
import { Application, expectEqual, rejectionOf, until } from "./application.js";

@Entity()
@Tracked()
class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

@Entity()
@Tracked()
class Book {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @Column("text") title!: string;
  @Column("numeric", { nullable: true }) price!: string | null;
  @Column("jsonb", { nullable: true }) notes!: unknown;
  @Column("text", { nullable: true }) @Sensitive() lender!: string | null;
  @Column({ type: "text", generatedType: "STORED", asExpression: "upper(title)" }) loud!: string;
  @ManyToOne(() => Shelf, { nullable: true }) shelf!: Shelf | null;
  @DeleteDateColumn() removedAt!: Date | null;
}

@Entity()
@Tracked({ auditOnly: true })
class Visit {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") who!: string;
}

@Entity()
@Tracked()
class Card {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") text!: string;
}

/** Its next version, with the same columns. */
@Entity("card")
@Tracked({ name: "Card", version: 2 })
class NewCard {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") text!: string;
}

describe("retention", function () {
  this.timeout(180_000);
  let app: Application;
  /** What the tables held at the end of each year, and a book that was there from the first on. */
  let ends: { bookmark: string; rows: LiveRows }[];
  let book: Book;
  /** When the second and the third year began. */
  let [second, third]: Date[] = [];
  let from: bigint[] = [];

  beforeEach(async () => {
    app = new Application({ entities: [Shelf, Book, Card, Visit] });
    await app.start();
    [ends, from] = [[], []];
    book = await app.dataSource.manager.save(Book, { title: "the book", lender: "Ada", notes: [null] });
    await year("one");
    from.push((await app.log.partition()).from);
    second = await now();
    await year("two");
    from.push((await app.log.partition()).from);
    third = await now();
    await year("three");
  });
  afterEach(() => app.stop());

  /** Everything that can happen to a record, with transactions of several events. */
  async function year(name: string): Promise<void> {
    const { manager } = app.dataSource;
    const shelf = await manager.save(Shelf, { name: `shelf of ${name}` });
    const kept = await manager.save(Book, { title: `kept in ${name}`, lender: `lender of ${name}`, shelf });
    const gone = await manager.save(Book, { title: `gone in ${name}`, price: "12.50", lender: "nobody" });
    await manager.update(Book, kept.id, { title: `kept since ${name}`, price: "1e3", notes: { a: [1, "two", null] } });
    const soft = await manager.save(Book, { title: `soft in ${name}` });
    await manager.softRemove(Book, soft);
    await manager.remove(Book, gone);
    await manager.save(Visit, { who: name });
    await manager.save(Card, { text: `card of ${name}` });
    await manager.transaction(async (inside) => {
      await inside.update(Book, book.id, { title: `the book in ${name}`, shelf });
      await inside.update(Book, { title: "kept since one" }, { price: String(name.length) });
      await inside.save(Shelf, { name: `second shelf of ${name}` });
    });
    ends.push(await app.moment());
  }

  async function now(): Promise<Date> {
    // A Date has no microseconds: the moment before is over when this one is asked for.
    const [row] = await app.sql<{ at: Date }>("select pg_sleep(0.005), clock_timestamp() as at");
    return row?.at ?? expect.fail("no time");
  }

  const stored = async () => (await app.events()).map((event) => JSON.stringify(event));

  async function expectEnds(known: typeof ends): Promise<void> {
    for (const { bookmark, rows } of [...known].reverse().concat(known.at(-1) ?? [])) {
      await app.log.replay({ bookmark });
      const differences = differencesOf(await app.rows(), rows).filter((line) => !line.includes(" public.visit "));
      expect(differences, `after a replay to ${bookmark}`).to.deep.equal([]);
    }
    await expectEqual(app, "in the end");
  }

  it("drops the oldest partitions whole, and every later point in time is what it was", async () => {
    const held = await stored();
    const kept = (await app.events()).filter(({ position }) => position >= (from[0] ?? 0n)).length;
    const report = await withRequestContext({ actor: { type: "user", id: "clerk" } }, () =>
      app.log.retain({ since: second ?? "" }),
    );
    const alive = (table: string) => ends[0]?.rows.get(table)?.length ?? 0;
    expect(report).to.deep.equal({
      dropped: ["event_0"],
      events: held.length - kept,
      records: 6,
      knownFrom: 999_999_999_999n,
    });
    expect(
      alive("public.shelf") + alive("public.book") + alive("public.card"),
      "rows at the end of the first year",
    ).to.equal(report.records);
    const after = await stored();
    expect(after.slice(-kept)).to.deep.equal(held.slice(-kept));
    const standing = (await app.events()).slice(0, -kept);
    expect(standing.map(({ action, origin, actor }) => [action, origin, actor?.id])).to.deep.equal(
      Array.from({ length: 6 }, () => ["create", "retained", "clerk"]),
    );
    await expectEqual(app, "after retention");
    expect(await app.log.install(), "an install afterwards").to.include({ changed: false });
    await expectEnds(ends.slice(1));
    await app.wipe();
    await app.log.replay();
    await expectEqual(app, "after a replay into empty tables");
  });

  it("makes earlier points unknown, bookmarks and a tail's beginning among them", async () => {
    const before = (await app.events())[5]?.position ?? 0n;
    await app.log.retain({ since: second ?? "" });
    const { bookmark } = ends[0] ?? expect.fail();
    const firstOf = (from[0] ?? 0n) - 6n;
    for (const point of [{ bookmark }, before, firstOf, new Date(0)]) {
      for (const ask of [
        () => app.log.replay(point),
        () => app.log.at(Book, book.id, point),
        () => app.log.revert(Book, book.id, point),
        () => app.log.shadow(point),
      ])
        expect(await rejectionOf(ask())).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    }
    const tail = app.log.tail({ after: { bookmark } })[Symbol.asyncIterator]();
    expect(await rejectionOf(tail.next())).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    const exact = await app.log.at(Book, book.id, (from[0] ?? 0n) - 1n);
    expect(exact).to.include({ title: "the book in one" });
  });

  it("answers at, history, changes, revert, shadow, tail and erase from what is left", async () => {
    await app.log.retain({ since: third ?? "" });
    const titles = (await app.log.history<Book>(Book, book.id)).map(({ data }) => data.title);
    expect(titles).to.deep.equal(["the book in two", "the book in three"]);
    expect(await app.log.at(Book, book.id, { bookmark: ends[2]?.bookmark ?? "" })).to.include({
      title: "the book in three",
    });
    const start = (from[1] ?? 0n) - 1n;
    expect(await app.log.at(Book, book.id, start, { sensitive: true })).to.include({ lender: "Ada" });
    expect((await app.log.changes(Book, book.id, { from: start })).map(({ column }) => column)).to.include("title");
    await app.log.revert(Book, book.id, start);
    expect(await app.dataSource.manager.findOneByOrFail(Book, { id: book.id })).to.include({
      title: "the book in two",
    });
    const past = await app.log.shadow(start);
    expect(await past.manager.countBy(Book, {})).to.equal(3);
    await past.drop();
    const tailed: bigint[] = [];
    for await (const { position } of app.log.tail({ after: 0n })) {
      tailed.push(position);
      if (tailed.length === (await stored()).length) break;
    }
    expect(tailed).to.deep.equal((await app.events()).map(({ position }) => position));
    expect(await app.log.erase(Book, book.id)).to.deep.equal({ erased: 1 });
    const [leak] = await app.sql("select from chronicle.event_sensitive where data ->> 'lender' = 'Ada'");
    expect(leak).to.equal(undefined);
    await expectEqual(app, "after all of it");
  });

  it("drops what stands for earlier partitions with the next ones, and nothing twice", async () => {
    await app.log.retain({ since: second ?? "" });
    expect(await app.log.retain({ since: second ?? "" })).to.deep.equal({
      dropped: [],
      events: 0,
      records: 0,
      knownFrom: (from[0] ?? 0n) - 1n,
    });
    const { dropped } = await app.log.retain({ since: third ?? "" });
    expect(dropped).to.deep.equal(["event_0", "event_1"]);
    expect((await app.log.retain({ since: await now() })).dropped, "the last partition").to.deep.equal([]);
    const [orphan] = await app.sql(
      "select from chronicle.event_sensitive s where not exists (select from chronicle.event e where e.position = s.position)",
    );
    expect(orphan).to.equal(undefined);
    await expectEnds(ends.slice(2));
  });

  it("changes nothing in a dry run, and tells the same", async () => {
    const before = await stored();
    const foreseen = await app.log.retain({ since: third ?? "", dryRun: true });
    expect(await stored()).to.deep.equal(before);
    await expectEnds(ends);
    expect(await app.log.retain({ since: third ?? "" })).to.deep.equal(foreseen);
  });

  it("changes nothing where it cannot finish", async () => {
    const before = await stored();
    const writer = await app.connect();
    await writer.query("begin; insert into shelf (name) values ('open')");
    expect(await rejectionOf(app.log.retain({ since: second ?? "", lockTimeoutMs: 300 }))).to.include({
      code: "REPLAY_LOCK_TIMEOUT",
    });
    await writer.query("rollback");
    expect(await rejectionOf(app.log.retain({ since: second ?? "", signal: AbortSignal.abort() }))).to.include({
      code: "REPLAY_ABORTED",
    });
    expect(await stored()).to.deep.equal(before);
    await expectEnds(ends);
  });

  it("keeps no value that was erased, and forgets none that was not", async () => {
    await app.log.erase(Book, book.id);
    await app.log.retain({ since: second ?? "" });
    const values = await app.sql("select data ->> 'lender' as lender from chronicle.event_sensitive order by 1");
    expect(values.map(({ lender }) => lender))
      .to.include("lender of one")
      .and.not.to.include("Ada");
    await expectEqual(app, "after an erasure and retention");
  });

  it("leaves no time between what stands for the partitions and what follows", async () => {
    await app.log.retain({ since: third ?? "" });
    const [row] = await app.sql<{ last: Date; began: Date; next: Date }>(
      `select max(occurred_at) filter (where position < $1) as last, min(occurred_at) filter (where position >= $1) as next,
       (select began_at from chronicle.event_partition where position = $1) as began from chronicle.event`,
      [String(from[1])],
    );
    expect(row?.last).to.deep.equal(row?.began);
    expect(await rejectionOf(app.log.at(Book, book.id, new Date((row?.began.getTime() ?? 0) - 2)))).to.include({
      code: "POINT_IN_TIME_UNKNOWN",
    });
    const then = await app.log.at(Book, book.id, new Date((row?.next.getTime() ?? 0) - 1));
    expect(then, "right before the first event that was kept").to.include({ title: "the book in two" });
  });

  it("is seen whole or not at all by whoever compares meanwhile", async () => {
    const reader = await app.connect();
    for (const since of [second, third]) {
      // With this lock, each try to change places waits a moment, and has all readers of the log wait behind it.
      await reader.query(`begin; lock table chronicle.event_${since === second ? 0 : 1} in access share mode`);
      const retaining = app.log.retain({ since: since ?? "" });
      const waits =
        "select from pg_locks l join pg_class c on c.oid = l.relation where not l.granted and c.relname like $1 and l.mode = $2";
      await until(app, waits, ["event\\__", "AccessExclusiveLock"]);
      const verifying = app.log.verify();
      const reading = app.log.at(Book, book.id, { bookmark: ends[2]?.bookmark ?? "" });
      await until(app, waits, ["event", "AccessShareLock"]);
      await reader.query("commit");
      const [{ differences }, found] = await Promise.all([verifying, reading, retaining]);
      expect(differences).to.deep.equal([]);
      expect(found).to.include({ title: "the book in three" });
    }
  });

  it("brings old versions to today's shape, and refuses what an override takes", async () => {
    const entities = [Shelf, Book, NewCard, Visit];
    const upper = upcast("Card", "create", { from: 1 }, (data) => ({
      ...data,
      text: String(data["text"]).toUpperCase(),
    }));
    const newer = await app.open({ entities, replay: { upcasters: [upper] } });
    await newer.log.install();
    expect(await rejectionOf(app.log.retain({ since: second ?? "" })), "older code").to.include({
      code: "INSTALL_STALE",
    });
    const overriding = override("Card", "create", { versions: [1] }, async () => undefined);
    const { log } = await app.open({ entities, replay: { overrides: [overriding] } });
    expect(await rejectionOf(log.retain({ since: second ?? "" }))).to.include({ code: "REPLAY_VERSION_UNHANDLED" });
    await newer.log.retain({ since: second ?? "" });
    const cards = await app.sql("select version, data from chronicle.event where entity = 'Card' order by position");
    expect(cards).to.deep.equal([
      { version: 2, data: { id: 1, text: "CARD OF ONE" } },
      { version: 1, data: { id: 2, text: "card of two" } },
      { version: 1, data: { id: 3, text: "card of three" } },
    ]);
  });

  for (const options of [
    undefined,
    null,
    {},
    { since: 7 },
    { since: "yesterday" },
    { since: new Date(Number.NaN) },
    { since: new Date(), until: 1 },
    { since: new Date(), dryRun: "yes" },
    { since: new Date(), lockTimeoutMs: -1 },
  ])
    it(`refuses ${JSON.stringify(options)}`, async () => {
      expect((await rejectionOf(app.log.retain(options as never))).code).to.be.oneOf([
        "OPTIONS_INVALID",
        "POINT_IN_TIME_UNKNOWN",
      ]);
    });
});
