import { Column, type ColumnOptions, DataSource, Entity, PrimaryColumn } from "typeorm";
import { eventLog, Tracked, withEventLog } from "../../src/index.js";
import { withDatabases } from "../database.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded } from "../report.js";

const text: ColumnOptions = { type: "text", nullable: true };

interface Kind {
  readonly after: Readonly<Record<string, ColumnOptions>>;
  readonly ddl: string;
  /** What an application would write to the same effect. */
  readonly update?: string;
}

const columns = { name: text, email: text, size: text, note: text };

const kinds: Readonly<Record<string, Kind>> = {
  "rename a column": {
    after: { full_name: text, email: text, size: text, note: text },
    ddl: "alter table person rename name to full_name",
  },
  "add a constant default": {
    after: { ...columns, plan: { ...text, default: "free" } },
    ddl: "alter table person add column plan text default 'free'",
  },
  "change a type, no value changed": {
    after: { ...columns, size: { type: "integer", nullable: true } },
    ddl: "alter table person alter column size type integer using size::integer",
  },
  "change a type by an expression": {
    after: { ...columns, size: { type: "integer", nullable: true } },
    ddl: "alter table person alter column size type integer using size::integer * 100",
    update: "update person set size = size::integer * 100",
  },
  "add a default per row": {
    after: { ...columns, token: { type: "uuid", nullable: true } },
    ddl: "alter table person add column token uuid default gen_random_uuid()",
    update: "update person set note = gen_random_uuid()",
  },
};

function person(of: Readonly<Record<string, ColumnOptions>>): new () => object {
  class Person {}
  PrimaryColumn("integer")(Person.prototype, "id");
  for (const [name, options] of Object.entries(of)) Column(options)(Person.prototype, name);
  Entity({ name: "person" })(Person);
  Tracked({ name: "Person" })(Person);
  return Person;
}

async function open(url: string, of: Readonly<Record<string, ColumnOptions>>): Promise<DataSource> {
  return new DataSource(withEventLog({ type: "postgres", url, entities: [person(of)] })).initialize();
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** How long an install takes after DDL on a table of so many rows, beside verify() and an UPDATE of the same rows that capture records. */
export async function migrations({ events: rows }: BenchOptions): Promise<Report[]> {
  const found: Record<string, string | number>[] = [];
  for (const [name, kind] of Object.entries(kinds)) {
    await withDatabases(2, async ([url = "", other = ""]) => {
      const update = kind.update === undefined ? undefined : await updated(other, rows, kind.update);
      const before = await filled(url, rows);
      await before.query(kind.ddl);
      await before.destroy();
      const dataSource = await open(url, kind.after);
      const log = eventLog(dataSource);
      let recorded = 0;
      const install = await seconds(async () => {
        recorded = (await log.install()).schemaChanges[0]?.recordedRows ?? 0;
      });
      const verify = await seconds(() => log.verify());
      const { equal } = await log.verify();
      await dataSource.destroy();
      found.push({
        "": name,
        recorded: recorded,
        "install(), s": rounded(install),
        "verify(), s": rounded(verify),
        "install / verify": rounded(install / verify),
        "captured UPDATE, s": update === undefined ? "" : rounded(update),
        "install / UPDATE": update === undefined ? "" : rounded(install / update),
        equal: String(equal),
      });
    });
  }
  return [{ title: `install() after a migration of a table of ${rows} rows`, rows: found }];
}

async function filled(url: string, rows: number): Promise<DataSource> {
  const dataSource = await open(url, columns);
  await dataSource.synchronize();
  await eventLog(dataSource).install();
  for (let from = 1; from <= rows; from += 100_000)
    await dataSource.query(`insert into person select n, 'name ' || n, n || '@example.com', n::text, repeat('x', 40)
      from generate_series(${from}, ${Math.min(rows, from + 99_999)}) n`);
  await dataSource.query("vacuum analyze");
  return dataSource;
}

async function updated(url: string, rows: number, sql: string): Promise<number> {
  const dataSource = await filled(url, rows);
  const taken = await seconds(() => dataSource.query(sql));
  await dataSource.destroy();
  return taken;
}
