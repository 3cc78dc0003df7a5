import { expect } from "chai";
import { mkdtemp, readFile, rm, symlink, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  Column,
  type DataSource,
  Entity,
  type MigrationInterface,
  PrimaryGeneratedColumn,
  type QueryRunner,
} from "typeorm";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { eventLog, Tracked } from "../../src/index.js";
import { writeMigration } from "../../src/install/migration-file.js";
import { createDatabase, query, type TestDatabase } from "../database.js";
import { rejectionOf } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";

@Entity({ name: "parcel" })
@Tracked()
class Parcel {
  @PrimaryGeneratedColumn() id!: number;
  @Column("text") name!: string;
}

class MakeTables1600000000000 implements MigrationInterface {
  name = "MakeTables1600000000000";
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("create table parcel (id serial primary key, name text not null)");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("drop table parcel");
  }
}

/** Names without a schema work in it as they did before the log's migration. */
class WriteRows1900000000000 implements MigrationInterface {
  name = "WriteRows1900000000000";
  async up(runner: QueryRunner): Promise<void> {
    await runner.query("insert into parcel (name) values ('by a migration')");
    await runner.query("select set_config('test.timezone', current_setting('timezone'), false)");
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("delete from parcel");
  }
}

describe("the migration that installs the log", () => {
  let folder: string;
  let database: TestDatabase;
  let dataSource: DataSource | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "chronicle-migration-"));
    await mkdir(join(folder, "node_modules"));
    await symlink(ROOT, join(folder, "node_modules/typeorm-chronicle"));
    database = await createDatabase();
  });
  afterEach(async () => {
    if (dataSource?.isInitialized) await dataSource.destroy();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  async function application(migrations: NonNullable<ConstructorParameters<typeof DataSource>[0]["migrations"]>) {
    dataSource = newDataSource(database.url, [Parcel], { migrations });
    await dataSource.initialize();
    return dataSource;
  }

  async function written(file: string): Promise<new () => MigrationInterface> {
    const { file: path } = await writeMigration(join(folder, file));
    const module = (await import(pathToFileURL(path).href)) as Record<string, new () => MigrationInterface>;
    return module[`InstallEventLog${file.slice(0, 13)}`] ?? expect.fail(Object.keys(module).join());
  }

  for (const extension of ["mjs", "cjs"]) {
    for (const transaction of ["all", "each", "none"] as const) {
      it(`runs, as .${extension}, in a transaction for ${transaction}`, async () => {
        const InstallEventLog = await written(`1700000000000-event-log.${extension}`);
        const { runMigrations } = await application([
          MakeTables1600000000000,
          InstallEventLog,
          WriteRows1900000000000,
        ]).then((made) => ({ runMigrations: () => made.runMigrations({ transaction }) }));
        expect((await runMigrations()).map(({ name }) => name)).to.deep.equal([
          "MakeTables1600000000000",
          "InstallEventLog1700000000000",
          "WriteRows1900000000000",
        ]);
        const log = eventLog(dataSource as DataSource);
        await log.check();
        expect(await log.install()).to.include({ changed: false });
        expect((await log.history(Parcel, 1)).map(({ data }) => data)).to.deep.equal([
          { id: 1, name: "by a migration" },
        ]);
      });
    }
  }

  it("is reverted while the log is empty, and refuses that once it holds an event", async () => {
    const InstallEventLog = await written("1700000000001-event-log.mjs");
    const source = await application([MakeTables1600000000000, InstallEventLog]);
    const log = eventLog(source);
    await source.runMigrations();
    await source.undoLastMigration();
    expect((await log.status()).installed).to.equal(false);
    expect(await query(database.url, "select from pg_trigger where tgname like ' chronicle%'")).to.have.length(0);
    await query(database.url, "insert into parcel (name) values ('not recorded')");
    await source.runMigrations();
    await source.manager.save(Parcel, { name: "recorded" });
    const error = await rejectionOf(source.undoLastMigration());
    expect(error).to.include({ code: "UNINSTALL_REFUSED" });
    await log.check();
    expect(await log.history(Parcel, 2)).to.have.length(1);
    expect(await rejectionOf(log.uninstall())).to.include({ code: "UNINSTALL_REFUSED" });
  });

  it("takes no schema that holds anything else, which taking it off again would drop", async () => {
    const source = await application([MakeTables1600000000000]);
    await source.runMigrations();
    const kinds: Readonly<Record<string, string>> = {
      table: "create table S.mine ()",
      view: "create view S.mine as select 1 as one",
      "materialized view": "create materialized view S.mine as select 1 as one",
      sequence: "create sequence S.mine",
      function: "create function S.mine() returns integer language sql as 'select 1'",
      procedure: "create procedure S.mine() language sql as 'select 1'",
      type: "create type S.mine as enum ('one')",
      composite: "create type S.mine as (one integer)",
      domain: "create domain S.mine as integer",
      operator: "create operator S.### (leftarg = integer, rightarg = integer, function = int4pl)",
      collation: 'create collation S.mine from "C"',
    };
    for (const [kind, make] of Object.entries(kinds)) {
      await query(database.url, `create schema shared; ${make.replaceAll("S.", "shared.")}`);
      const shared = newDataSource(database.url, [Parcel], {}, { schema: "shared" });
      await shared.initialize();
      const error = await rejectionOf(eventLog(shared).install());
      expect(error, kind).to.include({ code: "OPTIONS_INVALID" });
      expect(error.message, kind).to.match(/the schema "shared" holds other objects: [a-z ]*shared\.(mine|###)/);
      await eventLog(shared).uninstall();
      await shared.destroy();
      await query(database.url, "drop schema shared cascade");
    }

    await eventLog(source).install();
    for (const [kind, make] of Object.entries(kinds)) {
      await query(database.url, make.replaceAll("S.", "chronicle."));
      const refused = await rejectionOf(eventLog(source).uninstall());
      expect(refused, kind).to.include({ code: "UNINSTALL_REFUSED" });
      expect(refused.message, kind).to.match(/chronicle\.(mine|###)/);
      await eventLog(source).check();
      const [what = ""] = make.replace("create ", "").split(" S.");
      await query(
        database.url,
        kind === "operator" ? "drop operator chronicle.### (integer, integer)" : `drop ${what} chronicle.mine`,
      );
    }
    await eventLog(source).uninstall();
    expect(await query(database.url, "select from parcel")).to.have.length(0);
    expect((await eventLog(source).status()).installed).to.equal(false);
  });

  it("is written as TypeScript, named by the file's timestamp or by now, and never over a file", async () => {
    const source = newDataSource(database.url, [Parcel]);
    const { file } = await eventLog(source).migration(join(folder, "migrations/1700000000002-log.ts"));
    expect(file).to.equal(join(folder, "migrations/1700000000002-log.ts"));
    const text = await readFile(file, "utf8");
    expect(text).to.include("export class InstallEventLog1700000000002 implements MigrationInterface");
    expect(text).to.include("up(queryRunner: QueryRunner): Promise<void>");
    expect(await rejectionOf(eventLog(source).migration(file))).to.include({ code: "OPTIONS_INVALID" });
    expect(await readFile(file, "utf8")).to.equal(text);
    const now = await eventLog(source).migration(join(folder, "log.ts"));
    expect(await readFile(now.file, "utf8")).to.match(/class InstallEventLog\d{13} /);
    for (const wrong of ["log", "log.sql", ""])
      expect(await rejectionOf(eventLog(source).migration(wrong)), wrong).to.include({ code: "OPTIONS_INVALID" });
  });
});
