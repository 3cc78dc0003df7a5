import { expect } from "chai";
import { Column, Entity, ManyToOne, PrimaryGeneratedColumn } from "typeorm";
import { eventLog, Tracked } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { Account } from "../security/entities.js";
import { Guarded } from "../security/roles.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Folder {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
  @ManyToOne(() => Folder, { nullable: true, deferrable: "INITIALLY DEFERRED" }) parent!: Folder | null;
}

describe("partitions of the log", function () {
  this.timeout(120_000);
  let app: TrackedApplication;
  let guarded: Guarded | undefined;
  afterEach(async () => {
    await (guarded ?? app)?.stop();
    guarded = undefined;
  });

  const partitions = async () =>
    (
      await app.query(
        "select inhrelid::regclass as name from pg_inherits where inhparent = 'chronicle.event'::regclass order by 1",
      )
    ).map(({ name }) => name);
  const file = (name: string) => app.manager.save(Folder, { name });

  for (const capture of ["trigger", "subscriber"] as const)
    it(`begin where a plain log ends, and under ${capture} capture events go on with their positions and markers`, async () => {
      app = await TrackedApplication.start([Folder], { log: { capture } });
      await file("before");
      const filenode = await app.value("select relfilenode from pg_class where oid = 'chronicle.event'::regclass");
      expect(await app.log.install()).to.include({ changed: false });
      expect(await partitions(), "of a log that nobody divided").to.deep.equal([]);
      const report = await app.log.partition();
      expect(report).to.deep.equal({ partition: "event_1", from: 1_000_000_000_000n });
      expect(await app.log.partition(), "again, with nothing in it").to.deep.equal(report);
      expect(await partitions()).to.deep.equal(["chronicle.event_0", "chronicle.event_1"]);
      const moved = await app.value("select relfilenode from pg_class where oid = 'chronicle.event_0'::regclass");
      expect(moved, "the rows' file, not rewritten").to.equal(filenode);
      const folder = await file("after");
      await app.manager.save(Folder, { id: folder.id, name: "renamed" });
      const positions = await app.query(
        "select position, tableoid::regclass as partition from chronicle.event order by position",
      );
      expect(positions.map(({ partition }) => partition)).to.deep.equal([
        "chronicle.event_0",
        "chronicle.event_1",
        "chronicle.event_1",
      ]);
      expect(positions[1]).to.include({ position: "1000000000000" });
      const markers = await app.query("select settled from chronicle.commit_marker");
      expect(
        markers.map(({ settled }) => settled),
        "one marker for each transaction, settled",
      ).to.deep.equal([true, true, true]);
      expect((await app.log.history(Folder, folder.id)).map(({ action }) => action)).to.deep.equal([
        "create",
        "update",
      ]);
      expect(await app.log.install(), "an install afterwards").to.include({ changed: false });
      expect(await app.log.status()).to.deep.include({ findings: [] });
      expect((await app.log.verify()).equal).to.equal(true);
      const { plain, divided } = (
        await app.query(`select to_jsonb(p) as plain, to_jsonb(d) as divided from
          (select array_agg(pg_get_indexdef(indexrelid) ~ 'autosummarize' order by pg_get_indexdef(indexrelid) ~ 'brin') as i from pg_index where indrelid = 'chronicle.event_0'::regclass) p,
          (select array_agg(pg_get_indexdef(indexrelid) ~ 'autosummarize' order by pg_get_indexdef(indexrelid) ~ 'brin') as i from pg_index where indrelid = 'chronicle.event_1'::regclass) d`)
      )[0] as never as Record<string, unknown>;
      expect(divided, "indexes of a new partition").to.deep.equal(plain);
    });

  it("go on where a process stopped half-way, and are made anew by an install with changed options", async () => {
    app = await TrackedApplication.start([Folder]);
    await file("one");
    await app.query(
      "alter table chronicle.event add constraint event_bound check (position < 1000000000000) not valid",
    );
    await app.log.partition();
    await file("two");
    const other = newDataSource(app.database.url, [Folder], {}, { limits: { dataBytes: 1_000_000 } });
    await other.initialize();
    expect(await eventLog(other).install()).to.include({ changed: true });
    await file("three");
    await other.destroy();
    expect(await app.countEvents()).to.equal(3);
    expect(await partitions()).to.have.length(2);
  });

  it("have a place for every position, also where a beginning fails at its very end", async () => {
    app = await TrackedApplication.start([Folder]);
    await app.query(`create function fail() returns trigger language plpgsql as $$ begin raise exception 'disk full'; end $$;
      create constraint trigger fail after insert on chronicle.event_partition deferrable initially deferred for each row execute function fail()`);
    expect((await rejectionOf(app.log.partition())).message).to.include("disk full");
    await file("one");
    await app.query("drop trigger fail on chronicle.event_partition");
    const { from } = await app.log.partition();
    await file("two");
    expect(await app.value("select max(position) from chronicle.event")).to.equal(String(from));
    expect(await app.log.retain({ since: new Date(Date.now() + 60_000) })).to.include({
      records: 1,
      knownFrom: from - 1n,
    });
    expect((await app.log.verify()).equal).to.equal(true);
    expect(await app.countEvents()).to.equal(2);
  });

  it("wait for open writers, hold up nobody meanwhile, and are told apart from bad input", async () => {
    app = await TrackedApplication.start([Folder]);
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.save(Folder, { name: "open" });
    expect(await rejectionOf(app.log.partition({ lockTimeoutMs: 200 }))).to.include({ code: "INSTALL_LOCK_TIMEOUT" });
    await file("meanwhile");
    await runner.commitTransaction();
    await runner.release();
    await app.log.partition();
    expect(await app.countEvents()).to.equal(2);
    for (const options of [{ lockTimeoutMs: -1 }, { every: "month" }])
      expect(await rejectionOf(app.log.partition(options))).to.include({ code: "OPTIONS_INVALID" });
  });

  it("go with an uninstall of an empty log", async () => {
    app = await TrackedApplication.start([Folder]);
    await app.log.partition();
    await app.log.uninstall();
    expect(await app.value("select to_regnamespace('chronicle')")).to.equal(null);
  });

  it("keep the log's rights: to each role a partition gives no more than the log does", async () => {
    guarded = await Guarded.start();
    app = guarded.application;
    const owned = newDataSource(app.database.url.replace(/\/\/[^@]*@/, `//${guarded.roles.owner}@`), [Account]);
    await owned.initialize();
    const writer = await guarded.connect("application");
    await writer.query("insert into account (name, tax_number) values ('Ada', '12')");
    await eventLog(owned).partition();
    await writer.query("insert into account (name, tax_number) values ('Grace', '13')");
    for (const table of ["event", "event_0", "event_1"]) {
      for (const change of [
        "update chronicle.T set actor_id = 'x'",
        "delete from chronicle.T",
        "truncate chronicle.T",
      ]) {
        const sql = change.replace("T", table);
        for (const [role, code] of [
          ["application", "42501"],
          ["reader", "42501"],
          ["owner", "CH004"],
        ] as const) {
          const client = await guarded.connect(role);
          expect(await rejectionOf(client.query(sql)), `${role}: ${sql}`).to.include({ code });
        }
      }
    }
    const reader = await guarded.connect("reader");
    expect((await reader.query("select from chronicle.event")).rowCount).to.equal(2);
    for (const role of ["application", "reader"] as const) {
      const other = newDataSource(app.database.url.replace(/\/\/[^@]*@/, `//${guarded.roles[role]}@`), [Account]);
      await other.initialize();
      for (const work of [() => eventLog(other).partition(), () => eventLog(other).retain({ since: new Date() })])
        expect((await rejectionOf(work())).code, role).to.be.oneOf(["NOT_OWNER", "42501"]);
      await other.destroy();
    }
    await writer.query("insert into account (name) values ('Edsger')");
    await eventLog(owned).partition();
    const { dropped, records } = await eventLog(owned).retain({ since: new Date(Date.now() + 60_000) });
    expect({ dropped, records }).to.deep.equal({ dropped: ["event_0", "event_1"], records: 3 });
    expect((await reader.query("select from chronicle.event")).rowCount).to.equal(3);
    expect(await rejectionOf(reader.query("select from chronicle.event_1"))).to.include({ code: "42501" });
    const owner = await guarded.connect("owner");
    expect(await rejectionOf(owner.query("delete from chronicle.event_1"))).to.include({ code: "CH004" });
    expect((await eventLog(owned).verify()).equal).to.equal(true);
    await owned.destroy();
  });
});
