import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import type { Application, Setting } from "../replay/application.js";
import { dictionary, preparation } from "./dictionary.js";

interface Specimen extends Record<string, string | number | null> {
  id: number;
}

export const types = Object.keys(dictionary);
export const columnOf = (type: string): string => `c${types.indexOf(type)}`;

/** One column per type. To TypeORM all of them are texts: PostgreSQL reads them. */
const specimen = track(
  new EntitySchema<Specimen>({
    name: "Specimen",
    tableName: "specimen",
    synchronize: false,
    columns: {
      id: { type: "integer", primary: true },
      ...Object.fromEntries(types.map((type) => [columnOf(type), { type: "text", nullable: true }])),
    },
  }),
);

const tables = ["specimen", "source"].map(
  (name) =>
    `create table ${name} (id integer primary key, ${types.map((type) => `${columnOf(type)} ${type}`).join(", ")});`,
);

export const specimenSetting: Setting = { entities: [specimen], before: preparation + tables.join("\n") };

/** In COPY's text format. */
const copied = (value: string) =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");

/** Rows of one value each, in an application of the `specimenSetting`. */
export class Specimens {
  /** The id of the last one. */
  id = 0;

  constructor(private readonly app: Application) {}

  get repository() {
    return this.app.dataSource.getRepository(specimen);
  }

  /** The paths that can carry any value. */
  readonly paths: Readonly<Record<string, (column: string, value: string) => Promise<unknown>>> = {
    save: (column, value) => this.repository.save({ id: ++this.id, [column]: value }),
    insert: (column, value) => this.repository.insert({ id: ++this.id, [column]: value }),
    update: async (column, value) => {
      const id = ++this.id;
      await this.repository.insert({ id });
      await this.repository.update({ id }, { [column]: value });
    },
    SQL: async (column, value) => {
      await this.app.dataSource.query(`insert into specimen (id, ${column}) values ($1, $2)`, [++this.id, value]);
      await this.app.dataSource.query(`update specimen set id = -id where id = $1`, [this.id]);
    },
    COPY: (column, value) =>
      this.#withClient((client) =>
        pipeline(
          Readable.from([`${++this.id}\t${copied(value)}\n`]),
          client.query(copyFrom(`copy specimen (id, ${column}) from stdin`)),
        ),
      ),
  };

  /** The rows, of which one column holds a value: as its text, and, which no text can hide, as the protocol sends the row. */
  async rows(): Promise<string[]> {
    await this.app.db.query("set extra_float_digits = 1");
    const rows = await this.app.sql<{ id: number; text: string; bytes: string }>(
      `select id, concat(${types.map((type) => `${columnOf(type)}::text`).join(", ")}) as text,
         encode(sha256(record_send(t)), 'hex') as bytes from specimen t order by id`,
    );
    return rows.map(({ id: row, text, bytes }) => `${row} ${text} ${bytes}`);
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await (
      this.app.dataSource.driver as unknown as { master: { connect(): Promise<pg.PoolClient> } }
    ).master.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }
}

/** What is not in both lists, in short. */
export function difference(actual: readonly string[], wanted: readonly string[]): string[] {
  const [a, b] = [new Set(actual), new Set(wanted)];
  const lines = [
    ...wanted.filter((line) => !a.has(line)).map((line) => `- ${line}`),
    ...actual.filter((line) => !b.has(line)).map((line) => `+ ${line}`),
  ];
  return actual.length === wanted.length
    ? lines.map((line) => line.slice(0, 300))
    : [`${actual.length} for ${wanted.length}`, ...lines];
}
