import { expect } from "chai";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";
import { Oracle } from "../oracle.js";
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

const insert = (label = "'parcel ' || n") => `insert into parcel (label) select ${label} from generate_series(1, 3) n`;

/** What may happen to a tracked table between two installs, with a write that is of the changed shape. */
const changes: Readonly<Record<string, readonly [ddl: string, update: string, label?: string]>> = {
  "a column that was added": ["add column note text default 'new'", "note = 'changed ' || id"],
  "a column that was dropped": ["drop column weight", "label = upper(label)"],
  "a special column that was dropped": ["drop column contents", "label = upper(label)"],
  "a column that was renamed": ["rename column weight to grams", "grams = grams + 5"],
  "a column of another type": ["alter column weight type text", "weight = weight || ' kg'"],
  "a special column of another type": ["alter column contents type text", "contents = 'plain ' || id"],
  "a column whose type has no equality": [
    "alter column label type json using to_json(label)",
    "label = json_build_object('was', label)",
    "'\"parcel\"'",
  ],
};

describe("capture of a table that changed since the last install", () => {
  let application: TrackedApplication;
  let oracle: Oracle;
  let runner: ReturnType<TrackedApplication["dataSource"]["createQueryRunner"]>;

  beforeEach(async () => {
    application = await TrackedApplication.start([Parcel]);
    oracle = await Oracle.watch(application, [{ table: "parcel", entity: "Parcel" }]);
    // One session, so that plans made for the table as it was are still there when it has changed.
    runner = application.dataSource.createQueryRunner();
    await runner.query(`${insert()}; update parcel set label = label || '!'; delete from parcel where id = 1`);
  });
  afterEach(async () => {
    await runner.release();
    await application.stop();
  });

  for (const [name, [ddl, update, label]] of Object.entries(changes)) {
    it(`records ${name}`, async () => {
      await application.query(`alter table parcel ${ddl}`);
      const counts = await oracle.compare(async () => {
        await runner.query(insert(label));
        await runner.query(`update parcel set ${update} where id = 2`);
        await runner.query(`update parcel set ${update} where id <> 2`);
        await runner.query("update parcel set id = id + 100 where id > 3");
        await runner.query("delete from parcel");
      });
      expect(counts).to.deep.equal({ create: 6, update: 5, destroy: 8 });
    });
  }

  it("records a transaction whose snapshot is older than the change, and those after it", async () => {
    await application.query("drop schema oracle cascade"); // its triggers read the catalog as the transaction's snapshot shows it
    const written = await application.value("select max(position) from chronicle.event");
    await runner.query("begin isolation level repeatable read; select 1");
    await application.query("alter table parcel rename column weight to grams");
    await runner.query("update parcel set grams = grams + 5; commit");
    await runner.query("update parcel set grams = grams + 5 where id = 2");
    const events = await application.query(
      `select action, h.data -> 'grams' as grams, h.previous -> 'grams' as former from chronicle.event
      join chronicle.event_sensitive h using (position) where position > ${written} order by position`,
    );
    expect(events).to.deep.equal([
      { action: "update", grams: 5, former: 0 },
      { action: "update", grams: 5, former: 0 },
      { action: "update", grams: 10, former: 5 },
    ]);
  });

  it("keeps a column that install does not know apart, until the next install", async () => {
    await application.query("alter table parcel add column secret text default 'hush'");
    await runner.query("update parcel set secret = 'whisper' where id = 2");
    await runner.query("update parcel set secret = 'shout'");
    await runner.query(insert());
    expect(await application.value("select count(*) from chronicle.event where data ? 'secret'")).to.equal("0");
    expect(await application.value("select count(*) from chronicle.event_sensitive where data ? 'secret'")).to.equal(
      "6",
    );
  });

  it("records nothing for no row, and takes no lock for it", async () => {
    await runner.query("begin");
    expect(await oracle.compare(() => runner.query("update parcel set label = 'x' where id = -1"))).to.deep.equal({
      create: 0,
      update: 0,
      destroy: 0,
    });
    expect(await application.value("select count(*) from pg_locks where locktype = 'advisory'")).to.equal("0");
    await runner.query("rollback");
  });
});

describe("subscriber capture of a table that changed since the last install", () => {
  it("reads rows by a statement made for the table as it is", async () => {
    const application = await TrackedApplication.start([Parcel], { log: { capture: "subscriber" } });
    try {
      const parcel = await application.manager.save(Object.assign(new Parcel(), { label: "first" }));
      await application.query(
        "alter table parcel add column note text default 'new', alter column weight type text, alter column contents type json",
      );
      await application.manager.save(Object.assign(parcel, { label: "second" }));
      const events = await application.query("select action, data, previous from chronicle.event order by position");
      expect(events.map(({ action }) => action)).to.deep.equal(["create", "update"]);
      expect(events[1]?.["data"]).to.include({ label: "second" }).and.not.to.have.property("note");
      expect(
        await application.value("select data ->> 'note' from chronicle.event_sensitive order by position desc limit 1"),
      ).to.equal("new");
    } finally {
      await application.stop();
    }
  });
});
