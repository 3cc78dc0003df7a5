import { expect } from "chai";
import pg from "pg";
import type { DataSource, MigrationInterface } from "typeorm";
import { type Capture, type EventLog, eventLog } from "../../src/index.js";
import { createDatabase, type TestDatabase } from "../database.js";
import { expectSameRows, readLiveRows } from "../live-rows.js";
import { expectEqual, rejectionOf } from "../replay/application.js";
import { newDataSource } from "../tracked-application.js";
import { isTyped } from "./attempt.js";
import type { EntityClass } from "./entity-of.js";
import { generateMigration, type TransactionMode } from "./generated-migration.js";
import type { Row } from "./kind.js";
import { canonical, rowsOf } from "./rows.js";
import { type TypeOrmCase, typeOrmCases } from "./typeorm-cases.js";

const point = { bookmark: "before the migration" };

describe("migrations that TypeORM generates from pairs of entities", () => {
  let database: TestDatabase;
  let client: pg.Client;
  let opened: DataSource[] = [];

  beforeEach(async () => {
    database = await createDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterEach(async () => {
    for (const dataSource of opened) if (dataSource.isInitialized) await dataSource.destroy();
    opened = [];
    await client.end();
    await database.drop();
  });

  for (const [mode, capture] of [
    ["all", "trigger"],
    ["each", "trigger"],
    ["none", "trigger"],
    ["all", "subscriber"],
  ] as const) {
    describe(`in transactions for ${mode}, captured by ${capture}`, () => {
      for (const given of typeOrmCases)
        it(`are followed, and followed back: ${given.name}`, () => followed(given, mode, capture));
    });
  }

  async function followed(given: TypeOrmCase, mode: TransactionMode, capture: Capture): Promise<void> {
    const open = async (entities: readonly EntityClass[], migrations: (new () => MigrationInterface)[]) => {
      const more = { migrations, migrationsTransactionMode: mode };
      const dataSource = newDataSource(database.url, [...entities], more, { capture });
      opened.push(await dataSource.initialize());
      return { dataSource, log: eventLog(dataSource) };
    };
    const [old, next] = [given.before(), given.after()];
    const first = await generateMigration(database.url, old, "MakeTables1700000000000");
    const before = await open(old, [first]);
    await before.dataSource.runMigrations();
    await saveRows(before.dataSource, old, given.rows);
    await before.log.bookmark(point.bookmark);
    const { id: _, ...edit } = { ...(given.edit ?? given.rows[1]) };
    await saveRows(before.dataSource, old, [{ ...edit, id: 1 }]);
    await before.dataSource.destroy();

    const second = await generateMigration(database.url, next, "Change1700000000001");
    const after = await open(next, [first, second]);
    expect(await after.dataSource.runMigrations()).to.have.length(1);
    await after.log.check();
    await expectKept(after.log);
    await expectPast(after, next, given.past);
    if (next.length > 1) await after.dataSource.getRepository(next[0] as EntityClass).save({ id: 1 });
    await saveRows(after.dataSource, next, [given.fresh]);
    await expectKept(after.log);

    await after.dataSource.undoLastMigration();
    await after.dataSource.destroy();
    const again = await open(old, [first]);
    await again.log.install();
    await expectKept(again.log);
    await expectPast(again, old, given.back);
  }

  /** Log and tables are equal, and a replay keeps every row. */
  async function expectKept(log: EventLog): Promise<void> {
    const was = await readLiveRows(database.url);
    await expectEqual({ log }, "after the migration");
    await log.replay();
    expectSameRows(await readLiveRows(database.url), was);
    await expectEqual({ log }, "after the replay");
  }

  async function expectPast(
    { dataSource, log }: { dataSource: DataSource; log: EventLog },
    entities: readonly EntityClass[],
    past: TypeOrmCase["past"],
  ): Promise<void> {
    const person = entities.at(-1) as EntityClass;
    if (past === "refused") {
      expect(isTyped(await rejectionOf(log.shadow(point)))).to.equal(true);
      expect(isTyped(await rejectionOf(log.at(person, 1, point)))).to.equal(true);
      return;
    }
    const shadow = await log.shadow(point);
    const found = await rowsOf(client, shadow.manager.getRepository(person).metadata.tablePath);
    await shadow.drop();
    expect(canonical(found)).to.deep.equal(canonical(past));
    const record = await log.at(person, 1, point);
    const { columns } = dataSource.getMetadata(person);
    const names = columns.filter(({ isVirtual }) => !isVirtual).map(({ propertyName }) => propertyName);
    expect(canonical([pick(record ?? {}, names)])).to.deep.equal(canonical([pick(past[0] ?? {}, names)]));
  }
});

async function saveRows(dataSource: DataSource, entities: readonly EntityClass[], rows: readonly Row[]): Promise<void> {
  const repository = dataSource.getRepository(entities.at(-1) as EntityClass);
  for (const row of rows) await repository.save(repository.create({ ...row }));
}

/** Values of columns; numbers that TypeORM reads as text, as numbers. */
function pick(row: Row, names: readonly string[]): Row {
  const number = (value: unknown) => (typeof value === "string" && /^\d+\.\d+$/.test(value) ? Number(value) : value);
  return Object.fromEntries(names.map((name) => [name, number(row[name])]));
}
