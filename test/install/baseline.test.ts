import { expect } from "chai";
import { Column, Entity, JoinTable, ManyToMany, PrimaryColumn, PrimaryGeneratedColumn, type Relation } from "typeorm";
import { Tracked, withRequestContext } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application, expectEqual, rejectionOf } from "../replay/application.js";

@Entity()
@Tracked()
class Part {
  @PrimaryGeneratedColumn() id!: number;
  @Column("integer") stock!: number;
}

@Entity()
@Tracked()
class Bolt {
  @PrimaryColumn("text") code!: string;
  @PrimaryColumn("timestamp with time zone") made!: Date;
  @Column("jsonb", { nullable: true }) notes!: unknown;
  @ManyToMany(() => Part) @JoinTable() parts!: Relation<Part>[];
}

const partsBefore = (count: number) => `insert into part (stock) select i from generate_series(1, ${count}) i;`;
const boltsBefore = `insert into bolt (code, made, notes) select chr(97 + i % 26) || case i % 3 when 0 then '''' when 1 then '"' else 'ü' end, '2026-01-01'::timestamptz + i * interval '1.000001 s', '"text"' from generate_series(1, 2500) i;
  insert into bolt_parts_part ("boltCode", "boltMade", "partId") select code, made, 1 from bolt limit 1500`;

describe("baseline", () => {
  let app: Application;
  afterEach(() => app?.stop());

  async function started(after: string) {
    app = new Application({ entities: [Part, Bolt], after });
    await app.start();
  }

  const countOf = async (table: string) => Number((await app.sql(`select count(*) from ${table}`))[0]?.["count"]);

  it("records every row that was there before, with who called it, and nothing the second time", async () => {
    await started(partsBefore(2_345) + boltsBefore);
    const unknown = await rejectionOf(app.log.replay());
    expect(unknown).to.include({ code: "REPLAY_UNKNOWN_ROWS" });
    const progress: { entity: string; rows: number }[] = [];
    const { rows } = await withRequestContext({ actor: { type: "job", id: "deploy" } }, () =>
      app.log.baseline({ onProgress: (step) => progress.push(step) }),
    );
    expect(rows).to.equal(2_345 + 2_500 + 1_500);
    expect(progress.map((step) => step.rows)).to.deep.equal([1000, 2000, 2345, 3345, 4345, 4845, 5845, 6345]);
    const kinds = await app.sql("select distinct action, origin, actor_id from chronicle.event");
    expect(kinds).to.deep.equal([{ action: "create", origin: "baseline", actor_id: "deploy" }]);
    expect(await app.log.baseline()).to.deep.equal({ rows: 0 });
    const live = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), live);
  });

  it("takes only the entities asked for, and refuses what is no option", async () => {
    await started(partsBefore(5) + boltsBefore);
    expect(await app.log.baseline({ entities: [Part, "Bolt.parts"] })).to.deep.equal({ rows: 1_505 });
    for (const options of [{ entities: Part }, { batch: 5 }])
      expect(await rejectionOf(app.log.baseline(options as object))).to.include({ code: "OPTIONS_INVALID" });
    class Unknown {}
    expect(await rejectionOf(app.log.baseline({ entities: [Unknown] }))).to.include({ code: "NOT_TRACKED" });
    expect(await app.log.baseline()).to.deep.equal({ rows: 2_500 });
  });

  it("goes on where it was aborted", async () => {
    await started(partsBefore(3_500));
    const controller = new AbortController();
    const aborted = await rejectionOf(
      app.log.baseline({ signal: controller.signal, onProgress: ({ rows }) => rows >= 2_000 && controller.abort() }),
    );
    expect(aborted).to.include({ code: "REPLAY_ABORTED" });
    expect(await countOf("chronicle.event")).to.equal(2_000);
    expect(await rejectionOf(app.log.replay())).to.include({ code: "REPLAY_UNKNOWN_ROWS" });
    expect(await app.log.baseline()).to.deep.equal({ rows: 1_500 });
    expect(await countOf("chronicle.event")).to.equal(3_500);
    await expectEqual(app, "after the second call");
  });

  it("is right beside 16 writers that insert, update, delete and put back what it has not come to yet", async function () {
    this.timeout(120_000);
    await started(partsBefore(6_000) + boltsBefore);
    let writing = true;
    let written = 0;
    const pick = () => 1 + Math.floor(Math.random() * 6_000);
    const write = async () => {
      const client = await app.connect();
      while (writing) {
        const [one, two] = [pick(), pick()].toSorted((a, b) => a - b);
        const chance = Math.random();
        if (chance < 0.4) await client.query("update part set stock = stock + 1 where id = $1", [one]);
        else if (chance < 0.6) await client.query("delete from part where id = $1", [one]);
        else if (chance < 0.7) await client.query("insert into part (stock) values ($1)", [one]);
        else if (chance < 0.8)
          await client.query("insert into part (id, stock) values ($1, -1) on conflict (id) do update set stock = -2", [
            one,
          ]);
        else {
          await client.query("begin");
          await client.query("update part set stock = stock - 1 where id in ($1, $2)", [one, two]);
          await client
            .query("delete from bolt where ctid = any (array(select ctid from bolt order by random() limit 1))")
            .catch(() => undefined);
          await client.query(Math.random() < 0.2 ? "rollback" : "commit");
        }
        written++;
      }
    };
    const writers = Array.from({ length: 16 }, write);
    try {
      while (written < 500) await new Promise((resolve) => setTimeout(resolve, 10));
      await app.log.baseline();
      const done = written;
      while (written < done + 200) await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      writing = false;
      await Promise.all(writers);
    }
    const courses = await app.sql<{ course: string; records: string }>(
      `select course, count(*) as records from (
         select string_agg(case when origin = 'baseline' then 'b' else left(action, 1) end, '' order by position) as course
         from chronicle.event where table_name = 'public.part' group by record_key) c group by 1`,
    );
    const kinds = courses.map(({ course }) => course);
    expect(kinds, "rows changed before the baseline came to them").to.satisfy((list: string[]) =>
      list.some((course) => /^u+b/.test(course)),
    );
    expect(kinds, "rows that went before the baseline came to them").to.satisfy((list: string[]) =>
      list.some((course) => /^u*d$/.test(course)),
    );
    await expectEqual(app, "beside writers");
    const live = await app.rows();
    await app.wipe();
    await app.log.replay();
    expectSameRows(await app.rows(), live);
    expect(await app.log.baseline()).to.deep.equal({ rows: 0 });
  });

  it("leaves points before it unknown, for the tables that had rows and for the records it recorded", async () => {
    await started(partsBefore(3));
    await app.sql("update part set stock = 20 where id = 2");
    const early = await app.position();
    await app.sql("insert into bolt (code, made) values ('a', '2026-01-01')");
    await app.sql("insert into part (id, stock) values (10, 10)");
    const before = await app.position();
    await app.sql("delete from part where id = 3");
    await app.log.baseline();
    const { position } = await app.log.bookmark("baseline");
    await app.sql("update part set stock = 0");
    for (const point of [early, before]) {
      const error = await rejectionOf(app.log.replay(point));
      expect(error).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
      expect(error.message).to.include("baseline of Part");
      expect(await rejectionOf(app.log.replay(point, { entities: [Part] }))).to.include({
        code: "POINT_IN_TIME_UNKNOWN",
      });
    }
    for (const id of [1, 2])
      expect(await rejectionOf(app.log.at(Part, id, before))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(await rejectionOf(app.log.changes(Part, 1, { from: before }))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect(await rejectionOf(app.log.revert(Part, 1, before))).to.include({ code: "POINT_IN_TIME_UNKNOWN" });
    expect((await app.log.at(Part, 10, before))?.stock, "a record whose create is in the log").to.equal(10);
    expect((await app.log.at(Part, 1, position))?.stock).to.equal(1);
    const { rows } = await app.log.replay(before, { entities: [Bolt, "Bolt.parts"] });
    expect(rows).to.include({ deleted: 0, inserted: 0 });
    await app.log.replay({ bookmark: "baseline" });
    expect(await app.sql("select id, stock from part order by id")).to.deep.equal([
      { id: 1, stock: 1 },
      { id: 2, stock: 20 },
      { id: 10, stock: 10 },
    ]);
  });

  it("mends a row that was added behind the log's back, and leaves every point known where tracking began on an empty table", async () => {
    await started("");
    await app.sql("insert into part (id, stock) values (1, 1)");
    const before = await app.position();
    await app.spoil("insert into part (id, stock) values (2, 2)");
    expect(await app.log.baseline()).to.deep.equal({ rows: 1 });
    await app.log.replay(before);
    expect(await app.sql("select id from part")).to.deep.equal([{ id: 1 }]);
    await app.sql(
      "set session_replication_role = replica; delete from chronicle.bookmark; reset session_replication_role",
    );
    await app.spoil("delete from part");
    await app.sql("update part set stock = 5 where id = 1");
    expect((await app.log.verify()).counts.missing).to.equal(1);
  });

  it("does not take a lost create for a row from before: an update after the baseline still needs its record", async () => {
    await started(partsBefore(2));
    await app.sql("delete from part where id = 2");
    await app.log.baseline();
    await app.spoil("insert into part (id, stock) values (7, 7)");
    await app.sql("update part set stock = 8 where id = 7");
    expect(await rejectionOf(app.log.replay())).to.include({ code: "REPLAY_RECORD_MISSING" });
  });

  it("needs the log to be installed", async () => {
    app = new Application({ entities: [Part, Bolt] });
    await app.start();
    await app.log.uninstall();
    expect(await rejectionOf(app.log.baseline())).to.include({ code: "NOT_INSTALLED" });
  });
});
