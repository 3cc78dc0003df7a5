import { expect } from "chai";
import { Column, type DataSource, Entity, JoinTable, ManyToMany, PrimaryGeneratedColumn, type Relation } from "typeorm";
import {
  ChronicleActivity,
  ChronicleBookmark,
  ChronicleEvent,
  ChronicleEventSensitive,
  ChronicleInstallation,
  ChronicleTracked,
  eventLog,
  Tracked,
} from "../../src/index.js";
import { latestStep } from "../../entities/steps/index.js";
import { Session } from "../../src/core/session.js";
import { takeSteps } from "../../src/install/steps.js";
import { stepOf } from "../../src/log/step.js";
import type { PgClient } from "../../src/core/pg-client.js";
import { Oracle } from "../oracle.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource, TrackedApplication } from "../tracked-application.js";

@Entity()
@Tracked()
class Tag {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

@Entity()
@Tracked()
class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") title!: string;
  @ManyToMany(() => Tag) @JoinTable() tags!: Relation<Tag>[];
}

const logClasses = [
  ChronicleActivity,
  ChronicleBookmark,
  ChronicleEvent,
  ChronicleEventSensitive,
  ChronicleInstallation,
  ChronicleTracked,
];

describe("install", () => {
  let app: TrackedApplication;
  const opened: DataSource[] = [];
  afterEach(async () => {
    for (const dataSource of opened.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
    await app?.stop();
  });

  /** One more process of the application. */
  async function another(
    ...parameters: Parameters<typeof newDataSource> extends [string, ...infer Rest] ? Rest : never
  ) {
    const dataSource = newDataSource(app.database.url, ...parameters);
    opened.push(dataSource);
    await dataSource.initialize();
    return dataSource;
  }

  it("does nothing when all is as it should be, in another process too", async () => {
    app = await TrackedApplication.start([Post, Tag], { install: false });
    const tables = ["public.tag", "public.post", "public.post_tags_tag"];
    expect(await app.log.install()).to.deep.equal({ changed: true, step: latestStep, tables, schemaChanges: [] });
    const written = () => app.value("select count(*) from pg_stat_xact_user_tables");
    const before = [await written(), await app.value("select installed_at::text from chronicle.installation")];
    expect(await app.log.install()).to.deep.equal({ changed: false, step: latestStep, tables, schemaChanges: [] });
    const process = await another([Post, Tag]);
    expect(await eventLog(process).install()).to.include({ changed: false });
    expect([await written(), await app.value("select installed_at::text from chronicle.installation")]).to.deep.equal(
      before,
    );
  });

  it("mends what is missing, and only then", async () => {
    app = await TrackedApplication.start([Post, Tag]);
    for (const damage of [
      `drop trigger " chronicle insert" on post`,
      `alter table tag disable trigger all`,
      `drop table tag cascade; create table tag (id serial primary key, name text not null)`,
      `alter table tag add extra text`,
      `update chronicle.installation set fingerprint = ''; drop aggregate chronicle.merge(jsonb) cascade`,
    ]) {
      await app.query(damage);
      expect(await app.log.install(), damage).to.include({ changed: true });
      expect(await app.log.install(), damage).to.include({ changed: false });
      await app.log.check();
    }
    const oracle = await Oracle.watch(app, [{ table: "tag", entity: "Tag" }]);
    expect(await oracle.compare(() => app.manager.save(Tag, { name: "new" }))).to.include({ create: 1 });
  });

  it("has nothing to track and does nothing the second time in an application without tracked entities", async () => {
    @Entity()
    class Untracked {
      @PrimaryGeneratedColumn() id!: number;
    }
    app = await TrackedApplication.start([Untracked], { install: false });
    expect(await app.log.install()).to.deep.equal({ changed: true, step: latestStep, tables: [], schemaChanges: [] });
    expect(await app.log.install()).to.deep.equal({ changed: false, step: latestStep, tables: [], schemaChanges: [] });
  });

  it("takes each step once, from the one that is installed, and leaves what a newer library installed alone", async () => {
    app = await TrackedApplication.start([Post, Tag]);
    const runner = app.dataSource.createQueryRunner();
    const session = new Session((await runner.connect()) as PgClient);
    const [one, two] = [latestStep + 1, latestStep + 2];
    const more = [latestStep, one, two].map((number) => ({
      number,
      sql: (schema: string) =>
        `create table ${schema}.step_${number} (); update ${schema}.installation set step = ${number}`,
    }));
    await takeSteps(session, '"chronicle"', more.slice(0, 2));
    expect(await stepOf(session, '"chronicle"')).to.equal(one);
    await takeSteps(session, '"chronicle"', more);
    await runner.release();
    const made = "select string_agg(relname, ' ' order by oid) from pg_class where relname like 'step\\_%'";
    expect(await app.value(made)).to.equal(`step_${one} step_${two}`);
    await app.query("update chronicle.installation set fingerprint = 'of a newer library'");
    expect(await app.log.install()).to.deep.include({ changed: false, step: two });
    expect(await app.value("select fingerprint from chronicle.installation")).to.equal("of a newer library");
    await app.manager.save(Tag, { name: "still recorded" });
    expect(await app.countEvents()).to.equal(1);
  });

  it("never lowers a version: of two versions that run side by side, both are labelled by the newer", async () => {
    app = await TrackedApplication.start([Post, Tag]);
    const old = app.dataSource;
    await old.manager.save(Tag, { name: "one" });
    @Entity({ name: "tag" })
    @Tracked({ name: "Tag", version: { create: 2, update: 3 } })
    class Label {
      @PrimaryGeneratedColumn() id!: number;
      @Column("text") name!: string;
      @Column("text", { nullable: true }) colour!: string | null;
    }
    await app.query("alter table tag add colour text");
    const process = await another([Label]);
    const stale = await rejectionOf(process.manager.save(Label, { name: "too early" }));
    expect(stale).to.include({ code: "INSTALL_STALE" });
    expect(await eventLog(process).install()).to.include({ changed: true });
    await process.manager.save(Label, { name: "two", colour: "red" });
    await eventLog(old).install();
    await old.manager.save(Tag, { name: "three" });
    await old.manager.update(Tag, { name: "one" }, { name: "ONE" });
    await process.manager.update(Label, { name: "two" }, { colour: "blue" });
    await process.manager.delete(Label, { name: "three" });
    await eventLog(old).check();
    await eventLog(process).check();
    const events = await app.query(
      "select action, version, data ->> 'name' as name, data ->> 'colour' as colour from chronicle.event order by position",
    );
    expect(events.map((event) => Object.values(event))).to.deep.equal([
      ["create", 1, "one", null],
      ["create", 2, "two", "red"],
      ["create", 2, "three", null],
      ["update", 3, "ONE", null],
      ["update", 3, null, "blue"],
      ["destroy", 1, null, null],
    ]);
  });

  it("makes no writer fail, at first and when it has much to change, while 16 write all the time", async function () {
    this.timeout(120_000);
    app = await TrackedApplication.start([Post, Tag], {
      install: false,
      dataSource: { poolSize: 20, extra: { max: 20 } },
    });
    let writing = true;
    let [written, failed] = [0, 0];
    const errors = new Set<string>();
    /** Past the library, because TypeORM refuses to write before the first install; several tables in any order. */
    const write = async () => {
      const runner = app.dataSource.createQueryRunner();
      const client = (await runner.connect()) as { query(text: string): Promise<unknown> };
      const statements = [
        "insert into tag (name) values ('t')",
        "insert into post (title) values ('p')",
        "update tag set name = name || '.' where id = (select max(id) from tag)",
      ];
      while (writing) {
        try {
          if (Math.random() < 0.5) await client.query(statements[Math.floor(Math.random() * 2)] ?? "");
          else {
            await client.query("begin");
            for (const text of statements.toSorted(() => Math.random() - 0.5)) await client.query(text);
            await client.query("commit");
          }
          written++;
        } catch (error) {
          failed++;
          errors.add(String(error));
          await client.query("rollback").catch(() => undefined);
        }
      }
      await runner.release();
    };
    const writers = Array.from({ length: 16 }, write);
    try {
      while (written < 100) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await app.log.install()).to.include({ changed: true });
      const installed = written;
      while (written < installed + 100) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const fingerprint of ["a", "b", "c"]) {
        await app.query(`update chronicle.installation set fingerprint = '${fingerprint}'`);
        if (fingerprint === "b") await app.query(`drop trigger " chronicle update" on tag`);
        expect(await app.log.install()).to.include({ changed: true });
      }
    } finally {
      writing = false;
      await Promise.all(writers);
    }
    expect([...errors]).to.deep.equal([]);
    expect(failed).to.equal(0);
    const rows = await app.value("select (select count(*) from tag) + (select count(*) from post)");
    await app.log.baseline();
    expect(Number(await app.value("select count(distinct (table_name, record_key)) from chronicle.event"))).to.equal(
      Number(rows),
    );
  });

  it("gives up with a typed error when a table never gets free, and goes on from there", async function () {
    this.timeout(60_000);
    app = await TrackedApplication.start([Post, Tag], { install: false });
    const runner = app.dataSource.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    await runner.query("lock table tag in row exclusive mode");
    const error = await rejectionOf(app.log.install({ lockTimeoutMs: 1_000 }));
    expect(error).to.include({ code: "INSTALL_LOCK_TIMEOUT" });
    await runner.commitTransaction();
    await runner.release();
    expect(await app.log.install()).to.include({ changed: true });
    await app.log.check();
  });

  it("refuses what is no option of it", async () => {
    app = await TrackedApplication.start([Post, Tag], { install: false });
    for (const options of [{ grantTo: 7 }, { grantTo: [""] }, { grants: "me" }]) {
      expect(await rejectionOf(app.log.install(options as object)), JSON.stringify(options)).to.include({
        code: "OPTIONS_INVALID",
      });
    }
    const missing = await rejectionOf(app.log.install({ grantTo: "no such role" }));
    expect(missing).to.include({ code: "OPTIONS_INVALID" });
    expect(missing.message).to.include('role "no such role"');
  });

  it("says which table is missing", async () => {
    app = await TrackedApplication.start([Post, Tag], { install: false, dataSource: { synchronize: false } });
    const error = await rejectionOf(app.log.install());
    expect(error).to.include({ code: "INSTALL_STALE" });
    expect(error.message).to.include("public.tag");
  });

  describe("beside TypeORM's own schema tools", () => {
    it("has nothing that migration:generate would propose, also where the log's classes are entities", async () => {
      app = await TrackedApplication.start([Post, Tag]);
      await app.manager.save(Tag, { name: "one" });
      for (const entities of [
        [Post, Tag],
        [Post, Tag, ...logClasses],
      ]) {
        const dataSource = await another(entities);
        const { upQueries, downQueries } = await dataSource.driver.createSchemaBuilder().log();
        expect([upQueries, downQueries].flat().map(({ query }) => query)).to.deep.equal([]);
        await dataSource.synchronize();
      }
      const dataSource = await another([Post, Tag, ...logClasses]);
      const [event] = await dataSource.manager.find(ChronicleEvent);
      expect(event).to.include({ entity: "Tag", action: "create" });
      await app.log.check();
      expect(await app.countEvents()).to.equal(1);
    });

    it("is called again after dropSchema, with or without the log's classes among the entities", async () => {
      app = await TrackedApplication.start([Post, Tag]);
      await app.manager.save(Tag, { name: "one" });
      for (const entities of [
        [Post, Tag],
        [Post, Tag, ...logClasses],
      ]) {
        const dataSource = await another(entities, { dropSchema: true, synchronize: true });
        expect(await rejectionOf(dataSource.manager.save(Tag, { name: "too early" }))).to.have.property("code");
        expect(await eventLog(dataSource).install()).to.include({ changed: true });
        await dataSource.manager.save(Tag, { name: "two" });
        await eventLog(dataSource).check();
        expect((await eventLog(dataSource).history(Tag, 1)).at(-1)?.data).to.deep.equal({ id: 1, name: "two" });
      }
    });
  });
});
