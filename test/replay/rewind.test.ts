import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Tracked, withRequestContext } from "../../src/index.js";
import { application, expectEqual, proveReplay, rejectionOf } from "./application.js";

@Entity()
@Tracked()
class Plant {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @Column("integer", { default: 0 }) height!: number;
}

describe("a replay to the past", function () {
  this.timeout(60_000);
  const app = application({ entities: [Plant] });
  const plants = () => app.dataSource.getRepository(Plant);

  it("is recorded as ordinary events, with who, why and the point, and can be taken back", async () => {
    const [fern, moss] = await plants().save([{ name: "fern" }, { name: "moss" }]);
    const { bookmark, rows } = await app.moment();
    await plants().update(fern?.id ?? 0, { height: 9 });
    await plants().delete(moss?.id ?? 0);
    const [oak] = await plants().save([{ name: "oak" }]);
    const before = await app.moment();
    const last = await app.position();
    const report = await withRequestContext({ actor: { type: "user", id: 1 }, metadata: { why: "mistake" } }, () =>
      app.log.replay({ bookmark }),
    );
    expect(report).to.include({ recorded: 3, drift: 0 });
    expect(report.rows).to.deep.equal({ inserted: 1, updated: 1, deleted: 1, kept: 0 });
    const events = await app.events({ after: last });
    expect(
      events.map(({ action, recordId, data, origin }) => ({ action, id: recordId["id"], data, origin })),
    ).to.have.deep.members([
      { action: "update", id: fern?.id, data: { height: 0 }, origin: "rewind" },
      { action: "create", id: moss?.id, data: { id: moss?.id, name: "moss", height: 0 }, origin: "rewind" },
      { action: "destroy", id: oak?.id, data: {}, origin: "rewind" },
    ]);
    for (const event of events) {
      expect(event.actor).to.include({ id: "1" });
      expect(event.metadata).to.include({ why: "mistake" });
      expect(event.metadata["rewind"]).to.include({ position: String(report.effectivePosition) });
      expect(event.transactionId).to.equal(events[0]?.transactionId);
    }
    expect(await app.rows()).to.deep.equal(rows);
    await app.log.replay({ bookmark: before.bookmark });
    expect(await app.rows()).to.deep.equal(before.rows);
  });

  it("is recorded by key, whatever the order in which rows were found", async () => {
    await app.dataSource.query(
      "insert into plant (id, name) overriding system value select n, 'p' || n from generate_series(9001, 11500) n order by md5(n::text)",
    );
    const { bookmark } = await app.moment();
    await app.dataSource.query("delete from plant where id > 9000");
    const last = await app.position();
    await app.log.replay({ bookmark });
    const ids = (await app.events({ after: last })).map(({ recordId }) => Number(recordId["id"]));
    expect(ids).to.deep.equal(Array.from({ length: 2_500 }, (_, index) => 9_001 + index));
  });

  it("mends drift on the way, and records only what the log did not know", async () => {
    await plants().save([{ name: "fern" }, { name: "moss" }]);
    const { bookmark, rows } = await app.moment();
    await plants().update({ name: "fern" }, { height: 1 });
    await app.spoil("update plant set name = 'spoilt' where name = 'moss'");
    const report = await app.log.replay({ bookmark });
    expect(report).to.include({ recorded: 1, drift: 1 });
    expect(report.rows).to.include({ updated: 2 });
    expect(await app.rows()).to.deep.equal(rows);
    await expectEqual(app, "after a rewind over drift");
  });

  it("leaves the log the truth, again and again between writes, at points of every kind", async () => {
    const points: { position: bigint; time: Date; bookmark: string; rows: Awaited<ReturnType<typeof app.rows>> }[] = [];
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const step = async (index: number) => {
      const ids = (await app.sql<{ id: number }>("select id from plant")).map(({ id }) => id);
      await app.sql("begin");
      await app.sql("insert into plant (name, height) select 'p' || n, $1 from generate_series(1, 3) n", [index]);
      for (const id of ids) {
        if (random(3) === 0) await app.sql("update plant set height = height + $2 where id = $1", [id, index]);
        else if (random(5) === 0) await app.sql("delete from plant where id = $1", [id]);
      }
      await app.sql("commit");
      const { bookmark, rows } = await app.moment();
      points.push({ bookmark, rows, position: await app.position(), time: new Date() });
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (let index = 0; index < 8; index++) {
      await step(index);
      const point = points[random(points.length)] ?? expect.fail("no point");
      const way = random(3);
      await app.log.replay(way === 0 ? { bookmark: point.bookmark } : way === 1 ? point.position : point.time);
      expect(await app.rows(), `replay ${index} by way ${way}`).to.deep.equal(point.rows);
      await expectEqual(app, `after replay ${index}`);
      await app.wipe();
      await app.log.replay();
      expect(await app.rows(), `replay ${index} of everything`).to.deep.equal(point.rows);
    }
  });

  it("goes on from the state it made", async () => {
    await proveReplay(app, [
      () => plants().save({ name: "fern" }),
      () => plants().update({ name: "fern" }, { height: 2 }),
      async () => app.log.replay((await app.events())[0]?.position),
      () => plants().update({ name: "fern" }, { height: 3 }),
    ]);
  });
});

describe("a replay that is refused", function () {
  this.timeout(30_000);
  const app = application({ entities: [Plant] });
  const plants = () => app.dataSource.getRepository(Plant);

  it("names the event whose record is missing, and changes nothing", async () => {
    await plants().save([{ name: "fern" }, { name: "moss" }]);
    await plants().update({ name: "moss" }, { height: 2 });
    await app.sql("set session_replication_role = replica");
    await app.sql("delete from chronicle.event where action = 'create' and data ->> 'name' = 'moss'");
    await app.sql("reset session_replication_role");
    const [rows, [, update]] = [await app.rows(), await app.events()];
    const error = await rejectionOf(app.log.replay());
    expect(error).to.include({ code: "REPLAY_RECORD_MISSING" });
    expect(error.message).to.include(`The update at position ${update?.position} is of a Plant record`);
    expect(error.details).to.include({ position: update?.position, entity: "Plant" });
    expect(await app.rows()).to.deep.equal(rows);
  });

  it("is told when the role does not own the tables", async () => {
    await plants().save({ name: "fern" });
    const url = new URL(app.url);
    await app.sql("do $$ begin create role gardener login; exception when duplicate_object then null; end $$");
    await app.sql(
      "grant usage on schema chronicle to gardener; grant all on all tables in schema chronicle to gardener; grant all on plant to gardener",
    );
    url.username = "gardener";
    const { log, dataSource } = await app.open({ ...app.setting, dataSource: { url: url.href } });
    expect(await rejectionOf(log.replay())).to.include({ code: "NOT_OWNER" });
    await dataSource.destroy();
    await app.sql("drop owned by gardener");
  });
});
