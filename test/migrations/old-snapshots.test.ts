import { expect } from "chai";
import pg from "pg";
import type { DataSource } from "typeorm";
import { eventLog } from "../../src/index.js";
import { createDatabase, type TestDatabase } from "../database.js";
import { newDataSource } from "../tracked-application.js";
import { entityOf } from "./entity-of.js";
import { text } from "./kind.js";

const mood = { type: "enum", enum: ["good", "bad"], enumName: "mood", nullable: true } as const;
const before = entityOf({ columns: { name: text, mood } }, "person");
const after = entityOf({ columns: { name: text, mood, note: text } }, "person");

/** How the table is made: as capture at the level of statements, of rows, and of each row by itself needs it. */
const tables = {
  "a plain table": "create table person (id integer primary key, name text, mood mood)",
  "a table with a trigger of the application": `
    create table person (id integer primary key, name text, mood mood);
    create trigger look_on after insert or update on person for each row execute function look_on()`,
  "a partitioned table with a trigger of the application": `
    create table person (id integer primary key, name text, mood mood) partition by range (id);
    create table person_1 partition of person for values from (0) to (100);
    create trigger look_on after insert or update on person for each row execute function look_on()`,
};

/** Random histories found it: such a transaction sees the catalog of before, and rows as the table is now. */
describe("a write at REPEATABLE READ whose snapshot is older than a migration", () => {
  let database: TestDatabase;
  let old: pg.Client;
  let other: pg.Client;
  let dataSource: DataSource | undefined;

  beforeEach(async () => {
    database = await createDatabase();
    [old, other] = [
      new pg.Client({ connectionString: database.url }),
      new pg.Client({ connectionString: database.url }),
    ];
    await Promise.all([old.connect(), other.connect()]);
    await other.query(`create type mood as enum ('good', 'bad');
      create function look_on() returns trigger language plpgsql as 'begin return null; end'`);
  });
  afterEach(async () => {
    await dataSource?.destroy();
    dataSource = undefined;
    await Promise.all([old.end(), other.end()]);
    await database.drop();
  });

  const release = async (entity: typeof before) => {
    await dataSource?.destroy();
    dataSource = await newDataSource(database.url, [entity]).initialize();
    await eventLog(dataSource).install();
    return eventLog(dataSource);
  };

  for (const [name, create] of Object.entries(tables)) {
    it(`is recorded as the columns and labels are, in ${name}`, async () => {
      await other.query(create);
      const log = await release(before);
      await old.query("begin isolation level repeatable read; select from pg_class limit 1");
      await other.query(`alter table person add column note text;
        alter type mood rename value 'good' to 'fine';
        alter type mood rename value 'bad' to 'good';
        alter type mood rename value 'fine' to 'bad'`);
      await old.query("insert into person values (1, 'Ada', 'bad', 'kept'); commit");
      await log.bookmark("then");
      await other.query("update person set name = 'Alan', mood = 'good', note = null");
      await other.query("alter table person rename column note to remark");
      await other.query("alter table person rename column name to note");
      await other.query("alter table person rename column remark to name");
      const today = await release(after);
      expect(await today.verify()).to.include({ equal: true });
      const past = await today.shadow({ bookmark: "then" });
      try {
        expect(await other.query(`select * from ${past.schema}.person`))
          .to.have.property("rows")
          .that.deep.equals([{ id: 1, note: "Ada", mood: "bad", name: "kept" }]);
      } finally {
        await past.drop();
      }
    });
  }

  it("is recorded with labels of a type that it cannot see, which are renamed by a later release", async () => {
    await other.query(tables["a plain table"]);
    await release(before);
    await old.query("begin isolation level repeatable read; select from pg_class limit 1");
    await other.query(`alter type mood rename to mood_old; create type mood as enum ('good', 'bad', 'new');
      alter table person alter column mood type mood using mood::text::mood; drop type mood_old`);
    await old.query("insert into person values (1, 'Ada', 'bad'); commit");
    await release(before);
    await other.query(`alter type mood rename value 'bad' to 'x'; alter type mood rename value 'good' to 'bad';
      alter type mood rename value 'x' to 'good'`);
    const log = await release(before);
    expect(await log.verify()).to.include({ equal: true });
  });
});
