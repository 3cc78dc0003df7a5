import { expect } from "chai";
import { Column, Entity, PrimaryColumn } from "typeorm";
import { eventLog, type Finding, Tracked } from "../../src/index.js";
import { query } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Invoice {
  @PrimaryColumn("integer") id!: number;
  @Column("integer", { default: 0 }) total!: number;
}

@Entity({ synchronize: false })
@Tracked()
class Sample {
  @PrimaryColumn("integer") id!: number;
}

const prepare = ({ url }: { url: string }) =>
  query(
    url,
    `create table sample (id integer primary key) partition by range (id);
     create table sample_low partition of sample for values from (0) to (1000)`,
  );

const touch = `create function touch() returns trigger language plpgsql as $$ begin
    update invoice set total = total + 1 where id = new.id;
    return null;
  end $$;
  create trigger touch after insert on invoice for each row execute function touch();`;

describe("status", () => {
  let application: TrackedApplication;

  beforeEach(async () => {
    application = await TrackedApplication.start([Invoice, Sample], { prepare });
  });
  afterEach(() => application?.stop());

  const findings = async (): Promise<readonly Finding[]> => (await application.log.status()).findings;
  const level = (table: string) =>
    application.value("select level from chronicle.tracked where table_name = $1", [`public.${table}`]);

  /** Exactly one finding, told by `check` too where it is an error; gone after the next install where that puts it right. */
  async function expectFinding(
    { code, severity, says }: Omit<Finding, "message"> & { says: string },
    { until }: { until: "install" | (() => Promise<unknown>) },
  ): Promise<void> {
    const found = await findings();
    expect(found.map((finding) => [finding.code, finding.severity])).to.deep.equal([[code, severity]]);
    expect(found[0]?.message).to.include(says);
    const outcome = await application.log.check().then(
      () => "nothing",
      (error: { code: string }) => error.code,
    );
    expect(outcome).to.equal(severity === "error" ? code : "nothing");
    if (until === "install") expect((await application.log.install()).changed).to.equal(true);
    else await until();
    expect(await findings()).to.deep.equal([]);
    expect((await application.log.install()).changed).to.equal(false);
  }

  it("finds nothing right after an install, and the next install has nothing to do", async () => {
    expect(await findings()).to.deep.equal([]);
    expect((await application.log.install()).changed).to.equal(false);
  });

  it("finds an AFTER ROW trigger that came later, and the next install captures at row level", async () => {
    await application.query(touch);
    await expectFinding({ code: "INSTALL_STALE", severity: "error", says: "AFTER ROW triggers" }, { until: "install" });
    expect(await level("invoice")).to.equal("row");
    await application.manager.insert(Invoice, { id: 1 });
    const events = await application.log.history<Invoice>(Invoice, 1);
    expect(events.map(({ action, data }) => [action, data.total])).to.deep.equal([
      ["create", 0],
      ["update", 1],
    ]);
  });

  it("comes back to statement level once the trigger is gone", async () => {
    await application.query(touch);
    await application.log.install();
    await application.query("drop trigger touch on invoice");
    expect((await application.log.install()).changed).to.equal(true);
    expect(await level("invoice")).to.equal("statement");
    await application.manager.insert(Invoice, { id: 1 });
    expect(await application.log.history(Invoice, 1)).to.have.length(1);
  });

  it("changes a partitioned table's level, and back", async () => {
    await application.query(`create function idle() returns trigger language plpgsql as 'begin return null; end';
      create trigger idle after insert on sample_low for each row execute function idle()`);
    await application.log.install();
    expect(await level("sample")).to.equal("row");
    await application.query("create table sample_high partition of sample for values from (1000) to (2000)");
    await application.query("insert into sample_high values (1001)");
    await application.manager.insert(Sample, [{ id: 1 }, { id: 1002 }]);
    await application.query("delete from sample_low");
    await application.query("drop trigger idle on sample_low");
    await application.log.install();
    expect(await level("sample")).to.equal("statement");
    await application.query("insert into sample_high values (1003)");
    await application.manager.insert(Sample, [{ id: 2 }, { id: 1004 }]);
    expect(await findings()).to.deep.equal([]);
    expect(await application.countEvents()).to.equal(7);
    expect((await application.log.verify()).equal).to.equal(true);
  });

  it("finds a partition that came later, and the next install captures writes to it", async () => {
    await application.query("create table sample_high partition of sample for values from (1000) to (2000)");
    await expectFinding({ code: "INSTALL_STALE", severity: "error", says: "sample_high" }, { until: "install" });
    await application.query("insert into sample_high values (1001)");
    expect(await application.countEvents()).to.equal(1);
  });

  it("finds a partition whose triggers are disabled", async () => {
    await application.query("alter table sample_low disable trigger all");
    await expectFinding({ code: "INSTALL_STALE", severity: "error", says: "sample_low" }, { until: "install" });
  });

  it("finds disabled and dropped triggers", async () => {
    await application.query(`alter table invoice disable trigger " chronicle update"`);
    expect((await findings()).map(({ message }) => message)).to.deep.equal([
      "Capture triggers of Invoice (public.invoice) are missing or disabled.",
    ]);
    await application.log.install();
    expect(await findings()).to.deep.equal([]);
    await application.query(`drop trigger " chronicle update" on invoice`);
    expect((await findings()).map(({ message }) => message).join()).to.include("missing");
    await application.log.install();
    expect(await findings()).to.deep.equal([]);
  });

  it("finds a trigger that is enabled for replicas only", async () => {
    await application.query(`alter table invoice enable replica trigger " chronicle delete"`);
    expect(await findings()).to.not.be.empty;
    await application.log.install();
    expect(await findings()).to.deep.equal([]);
  });

  it("finds tables that inherit from a tracked one, and the next install refuses them", async () => {
    await application.query("create table bill (due date) inherits (invoice)");
    const refused = await rejectionOf(application.log.install());
    expect(refused).to.include({ code: "CAPTURE_IMPAIRED" });
    expect(refused.message).to.include("bill");
    await expectFinding(
      { code: "CAPTURE_IMPAIRED", severity: "error", says: "Tables inherit from Invoice (public.invoice)" },
      { until: () => application.query("alter table bill no inherit invoice") },
    );
  });

  it("finds rules", async () => {
    await application.query("create rule kept as on delete to invoice do instead nothing");
    await expectFinding(
      { code: "CAPTURE_IMPAIRED", severity: "warning", says: "rules, which rewrite what a replay writes too: kept" },
      { until: () => application.query("drop rule kept on invoice") },
    );
  });

  it("finds a role, and a database, that fire no triggers", async () => {
    const name = await application.value("select current_database()");
    await application.query(`alter database ${name} set session_replication_role = replica`);
    await expectFinding(
      { code: "CAPTURE_IMPAIRED", severity: "error", says: `The database ${name} has session_replication_role` },
      { until: () => application.query(`alter database ${name} reset session_replication_role`) },
    );
    await application.query(
      `create role mute_${name}; alter role mute_${name} in database ${name} set session_replication_role = 'replica'`,
    );
    await expectFinding(
      { code: "CAPTURE_IMPAIRED", severity: "error", says: `The role mute_${name}` },
      { until: () => application.query(`drop role mute_${name}`) },
    );
  });

  it("finds a session that fires no triggers", async () => {
    const { dataSource } = application;
    const pool = (dataSource.driver as unknown as { master: { options: { options?: string } } }).master;
    pool.options.options = "-c session_replication_role=replica";
    await Promise.all([1, 2].map(() => dataSource.query("select pg_sleep(0.1)"))); // one connection more, made with the option
    const found = await Promise.all([1, 2, 3, 4].map(findings));
    expect(
      found
        .flat()
        .map(({ message }) => message)
        .join(),
    ).to.include("This session has session_replication_role");
  });

  it("finds a renamed table", async () => {
    await application.query("alter table invoice rename to bill");
    expect((await findings()).map(({ message }) => message)).to.deep.equal([
      "The table public.invoice of Invoice is called public.bill now.",
    ]);
    await application.query("alter table bill rename to invoice");
    expect(await findings()).to.deep.equal([]);
  });

  it("finds a table that was given its name of today since the last install", async () => {
    await application.manager.insert(Invoice, { id: 1 });
    await application.query("alter table invoice rename to bill");
    await application.query(
      "update chronicle.tracked set table_name = 'public.bill' where table_name = 'public.invoice'",
    );
    await application.query("alter table bill rename to invoice");
    await expectFinding(
      { code: "INSTALL_STALE", severity: "error", says: "renamed to public.invoice" },
      { until: "install" },
    );
  });

  it("finds columns that came and went since the last install", async () => {
    await application.query("alter table invoice add due date");
    await expectFinding({ code: "INSTALL_STALE", severity: "warning", says: "new columns" }, { until: "install" });
    await application.query("alter table invoice drop due");
    await expectFinding(
      { code: "INSTALL_STALE", severity: "warning", says: "columns that Invoice (public.invoice) no longer has: due" },
      { until: "install" },
    );
  });

  it("lets writes go on whatever it finds of that", async () => {
    await application.query(touch);
    await application.query(
      "create rule kept as on delete to invoice do instead nothing; alter table invoice add due date",
    );
    await application.query("create table sample_high partition of sample for values from (1000) to (2000)");
    await application.manager.save(Object.assign(new Invoice(), { id: 7 }));
    expect(await application.countEvents()).to.equal(2);
  });

  it("is answered to a role of the application that has no rights on the log", async () => {
    const name = await application.value("select current_database()");
    await application.query(
      `create role plain_${name} login; grant all on invoice, sample, sample_low to plain_${name}`,
    );
    await application.log.install({ grantTo: `plain_${name}` });
    await application.query(touch);
    const url = new URL(application.database.url);
    url.username = `plain_${name}`;
    const dataSource = newDataSource(url.href, [Invoice, Sample]);
    await dataSource.initialize();
    try {
      const outcome = await eventLog(dataSource)
        .check()
        .then(String, (error: Error) => error.message);
      expect(outcome).to.include("AFTER ROW triggers");
    } finally {
      await dataSource.destroy();
      await application.query(`drop owned by plain_${name}; drop role plain_${name}`);
    }
  });
});
