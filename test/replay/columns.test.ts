import { expect } from "chai";
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from "typeorm";
import { Tracked } from "../../src/index.js";
import { application, proveReplay, rejectionOf } from "./application.js";

type Mood = "calm" | 'it\'s "odd"' | "back\\slash";

@Entity()
@Tracked()
class Kinds {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: "enum", enum: ["calm", 'it\'s "odd"', "back\\slash"], default: "calm" }) mood!: Mood;
  @Column({ type: "enum", enum: ["calm", 'it\'s "odd"', "back\\slash"], array: true, default: [] }) moods!: Mood[];
  @Column("text", { array: true, nullable: true }) tags!: (string | null)[] | null;
  @Column("integer", { array: true, default: [] }) numbers!: number[];
  @Column({ type: "numeric", precision: 20, scale: 4, nullable: true }) price!: string | null;
  @Column({ type: "text", generatedType: "STORED", asExpression: "upper(coalesce(tags[2], tags[1], ''))" })
  shout!: string;
  @Column("jsonb", { nullable: true }) document!: unknown;
  @Column("bytea", { nullable: true }) bytes!: Buffer | null;
  @Column("timestamp with time zone", { nullable: true }) at!: string | null;
  @Column("interval", { nullable: true }) lasts!: string | null;
}

@Entity()
@Tracked({ exclude: ["cache", "hits"] })
class Page {
  @PrimaryColumn("text") path!: string;
  @Column("text") title!: string;
  @Column("text", { nullable: true }) cache!: string | null;
  @Column("integer", { default: 0 }) hits!: number;
}

@Entity({ synchronize: false })
@Tracked()
class Reading {
  @PrimaryColumn("integer") year!: number;
  @PrimaryColumn("integer") id!: number;
  @Column("text") value!: string;
}

@Entity()
@Tracked()
class Short {
  @PrimaryColumn("integer") id!: number;
  @Column("character varying", { length: 6 }) code!: string;
  @Column("numeric", { precision: 8, scale: 4 }) rate!: string;
}

describe("replay of columns", function () {
  this.timeout(30_000);
  const app = application({
    entities: [Kinds, Page, Reading, Short],
    before: `create table reading (year integer, id integer, value text not null, primary key (year, id)) partition by list (year);
      create table reading_2025 partition of reading for values in (2025);
      create table reading_2026 partition of reading for values in (2026) partition by range (id);
      create table reading_2026_low partition of reading_2026 for values from (0) to (100);
      create table reading_2026_high partition of reading_2026 for values from (100) to (maxvalue)`,
  });

  it("brings back enums, arrays, numbers, documents, binary, times and intervals, and lets Postgres generate the rest", async () => {
    const kinds = app.dataSource.getRepository(Kinds);
    await proveReplay(app, [
      () =>
        kinds.save([
          { tags: ["a", null, "NULL", "", 'q"\\,{}'] },
          { mood: "back\\slash", moods: ["calm", 'it\'s "odd"'] },
        ]),
      () => kinds.update(1, { numbers: [1, 2, -3], price: "12345678901234.5600", tags: [] }),
      () => kinds.update(2, { document: { a: [1, null, "x"], "": {} }, bytes: Buffer.from([0, 255, 92]), tags: ["b"] }),
      () => app.sql("update kinds set at = '2026-01-02 03:04:05.678901+00', lasts = '1 year 2 days 00:00:00.000001'"),
      () => app.sql("update kinds set at = '-infinity', tags = null, document = 'null', numbers = '{{1,2},{3,4}}'"),
      () =>
        app.sql(
          "update kinds set at = '0044-03-15 12:00:00+00 BC', document = null, tags = '[2:3]={x,y}' where id = 1",
        ),
    ]);
    const [row] = await kinds.findBy({ id: 1 });
    expect(row?.shout).to.equal("X");
  });

  it("brings back rows of partitions, also those written past the parent or moved between them", async () => {
    await proveReplay(app, [
      () => app.sql("insert into reading values (2025, 2, 'a'), (2026, 1, 'b'), (2026, 200, 'c')"),
      () => app.sql("update reading set year = 2026 where year = 2025"),
      () =>
        app.sql(
          "update reading_2026_high set value = 'past the parent'; insert into reading_2025 values (2025, 1, 'd')",
        ),
      () => app.sql("update reading set id = 300 where year = 2026 and id = 1; truncate reading_2025"),
      () => app.sql("delete from reading"),
    ]);
  });

  it("leaves excluded columns of kept rows as they are, and gives the others their default", async () => {
    const pages = app.dataSource.getRepository(Page);
    await pages.save([
      { path: "/", title: "Home", cache: "<html>", hits: 7 },
      { path: "/about", title: "About", cache: "<p>", hits: 3 },
    ]);
    await app.spoil("update page set title = 'spoilt' where path = '/'", "delete from page where path = '/about'");
    await app.log.replay();
    expect(await pages.find({ order: { path: "ASC" } })).to.deep.equal([
      { path: "/", title: "Home", cache: "<html>", hits: 7 },
      { path: "/about", title: "About", cache: null, hits: 0 },
    ]);
    expect(JSON.stringify((await app.events())[0]?.data)).to.not.include("html");
  });

  it("never cuts a value off to fit a column that became shorter", async () => {
    await app.dataSource.getRepository(Short).insert({ id: 1, code: "abcdef", rate: "1.2345" });
    await app.spoil(
      "alter table short alter column code type character varying(3) using left(code, 3)",
      "alter table short alter column rate type numeric(6, 2)",
    );
    await app.log.install();
    expect(await app.log.verify()).to.include({ equal: true });
    await app.spoil(
      "alter table chronicle.event disable trigger user",
      "update chronicle.event set data = data || '{\"code\": \"abcdef\"}' where origin = 'migration'",
      "alter table chronicle.event enable trigger user",
    );
    const refused = await rejectionOf(app.log.verify());
    expect(refused).to.include({ code: "VALUE_NOT_CASTABLE" });
    expect(refused.details).to.deep.include({ entity: "Short", recordKey: "1", column: "code", version: 1 });
  });
});
