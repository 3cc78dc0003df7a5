import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { latestStep } from "../../entities/steps/index.js";
import { Sensitive, Tracked } from "../../src/index.js";
import { rejectionOf } from "../replay/application.js";
import { TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Parcel {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") label!: string;
  @Column("integer", { default: 0 }) weight!: number;
  @Column("jsonb", { nullable: true }) contents!: unknown;
  @Column("text", { nullable: true }) @Sensitive() recipient!: string | null;
}

describe("a log that the first version installed", () => {
  let app: TrackedApplication;
  beforeEach(async () => {
    app = await TrackedApplication.start([Parcel], { install: false, log: { limits: { dataBytes: 2_000 } } });
    await app.query(await readFile(new URL("../../../test/install/first-log.sql", import.meta.url), "utf8"));
    await app.query("insert into parcel (label, recipient) values ('one', 'Ada'), ('two', 'Bo')");
    await app.query("update parcel set weight = 5 where id = 1; delete from parcel where id = 2");
  });
  afterEach(() => app.stop());

  it("is brought up to date, and what it recorded is still its truth", async () => {
    const position = BigInt(await app.value("select max(position) from chronicle.event"));
    const rows = await app.query("select to_jsonb(p) as row from parcel p order by id");
    expect(await app.log.install()).to.include({ changed: true, step: latestStep });
    expect(await app.log.install()).to.include({ changed: false });
    expect((await app.log.status()).findings).to.deep.equal([]);

    await app.query("insert into parcel (label, recipient) values ('three', 'Cy')");
    await app.query("update parcel set label = label || '!', recipient = null");
    await app.query("truncate parcel");
    const events = await app.query("select action, count(*) from chronicle.event group by 1 order by 1");
    expect(events).to.deep.equal([
      { action: "create", count: "3" },
      { action: "destroy", count: "3" },
      { action: "update", count: "3" },
    ]);
    expect(await app.log.verify()).to.include({ equal: true });

    expect(await app.value("select reloptions from pg_class where relname = 'event_order'")).to.include(
      "pages_per_range=32",
    );

    await app.log.replay(position);
    expect(await app.query("select to_jsonb(p) as row from parcel p order by id")).to.deep.equal(rows);
  });

  it("can be divided then, and let its oldest events go", async () => {
    await app.log.install();
    await app.log.partition();
    await app.query("insert into parcel (label, recipient) values ('three', 'Cy')");
    expect(await app.log.retain({ since: new Date(Date.now() + 1) })).to.deep.include({
      dropped: ["event_0"],
      records: 1,
    });
    const events = await app.query(
      "select action, origin, data ->> 'label' as label from chronicle.event order by position",
    );
    expect(events).to.deep.equal([
      { action: "create", origin: "retained", label: "one" },
      { action: "create", origin: "capture", label: "three" },
    ]);
    expect(await app.log.verify()).to.include({ equal: true });
  });

  it("is taken off whole then, once it is empty: nothing in it is taken for somebody else's", async () => {
    await app.log.install();
    for (const table of ["event", "event_sensitive"])
      await app.query(`alter table chronicle.${table} disable trigger all; delete from chronicle.${table}`);
    await app.log.uninstall();
    expect(await app.value("select to_regnamespace('chronicle')")).to.equal(null);
  });

  it("refuses what is larger than an event may be, and nothing that it took before", async () => {
    await app.log.install();
    const large = "x".repeat(3_000);
    expect(await rejectionOf(app.manager.getRepository(Parcel).insert({ label: large }))).to.have.property(
      "driverError",
    );
    expect(await app.value("select count(*) from parcel")).to.equal("1");
    await app.manager.getRepository(Parcel).insert({ label: "small" });
    expect(await app.value("select count(*) from parcel")).to.equal("2");
  });
});
