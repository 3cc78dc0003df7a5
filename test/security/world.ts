import { randomBytes } from "node:crypto";
import { EntitySchema } from "typeorm";
import { type RecordId, track } from "../../src/index.js";
import { createDatabase, query, type TestDatabase } from "../database.js";

export type Values = Record<string, unknown>;

interface Key {
  /** In the database. */
  readonly type: string;
  /** As TypeORM takes it. (Default: text) */
  readonly as?: "integer" | "timestamp with time zone" | "jsonb";
  readonly values: readonly [RecordId, RecordId];
}

/** Keys by what they are made of: types that have operators of their own, and types that have none. */
export const keys: Readonly<Record<string, Key>> = {
  integer: { type: "integer", as: "integer", values: [1, 2] },
  uuid: { type: "uuid", values: ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] },
  varchar: { type: "character varying(40)", values: ["one", "two"] },
  citext: { type: "public.citext", values: ["One", "Two"] },
  enum: { type: "shop.mood", values: ["good", "bad"] },
  domain: { type: "shop.email", values: ["ada@a.example", "bob@b.example"] },
  numeric: { type: "numeric(8,2)", values: ["1.50", "2.50"] },
  timestamptz: {
    type: "timestamp with time zone",
    as: "timestamp with time zone",
    values: [new Date("2024-01-01"), new Date("2024-01-02")],
  },
  jsonb: { type: "jsonb", as: "jsonb", values: [11, 12] },
};

/** Columns of every table but the key: a type of each kind, and two values. */
const others: Readonly<Record<string, { readonly type: string; readonly values: readonly [unknown, unknown] }>> = {
  label: { type: "character varying(40)", values: ["new", "changed"] },
  words: { type: "text[]", values: [["a"], ["a", "b"]] },
  mood: { type: "shop.mood", values: ["good", "bad"] },
  moods: { type: "shop.mood[]", values: [["good"], ["good", "bad"]] },
  email: { type: "shop.email", values: ["ada@a.example", "bob@b.example"] },
  nickname: { type: "public.citext", values: ["Ada", "ADA"] },
  price: { type: "numeric", values: ["1.10", "1.1"] },
  big: { type: "bigint", values: ["9007199254740993", "2"] },
  ratio: { type: "double precision", values: ["0.1", "NaN"] },
  since: { type: "timestamp with time zone", values: ["2024-01-01T00:00:00.000Z", "2024-01-02T00:00:00.000Z"] },
  day: { type: "date", values: ["2024-01-01", "2024-01-02"] },
  data: { type: "jsonb", values: ['{"a": 1}', '{"a": 2}'] },
  note: { type: "json", values: ['{"a": 1}', '{"a": 2}'] },
  bytes: { type: "bytea", values: ["\\x01", "\\x02"] },
  tax: { type: "text", values: ["12", "13"] },
};

/** A row of any of the tables, with the first values or the second. */
export const rowOf = (id: RecordId, which: 0 | 1): Values => ({
  id,
  ...Object.fromEntries(Object.entries(others).map(([name, { values }]) => [name, values[which]])),
});

const columns = Object.fromEntries(
  Object.entries(others).map(([name, { type }]) => {
    const options = { type: "text", array: type.endsWith("[]"), nullable: true, select: name !== "tax" } as const;
    return [name, options];
  }),
);

/** A table for each key, by its name. */
export const entities = Object.fromEntries(
  Object.entries(keys).map(([name, { as }]) => {
    const entity = new EntitySchema<Values>({
      name: `Keyed by ${name}`,
      tableName: `by_${name}`,
      schema: "shop",
      columns: { id: { type: as ?? "text", primary: true }, ...columns },
    });
    track(entity);
    return [name, entity];
  }),
);

const tables = `
  create type shop.mood as enum ('good', 'bad');
  create domain shop.email as text check (value like '%@%');
  ${Object.entries(keys)
    .map(
      ([name, { type }]) =>
        `create table shop.by_${name} (id ${type} primary key, ${Object.entries(others)
          .map(([column, other]) => `${column} ${other.type}`)
          .join(", ")});`,
    )
    .join("\n")}`;

/** Roles of a world, by what they are. None is a superuser. */
export interface WorldRoles {
  /** Owns the tables, their types and the log. */
  readonly owner: string;
  readonly application: string;
  /** May make schemas, and objects in the schema of the tables and in public. */
  readonly attacker: string;
}

/** A database with tables of many types in a schema of their own, and no log yet. */
export class World {
  private constructor(
    private readonly database: TestDatabase,
    readonly roles: WorldRoles,
  ) {}

  static readonly entities = Object.values(entities);

  static async make(): Promise<World> {
    const suffix = randomBytes(4).toString("hex");
    const roles = { owner: `owner_${suffix}`, application: `application_${suffix}`, attacker: `attacker_${suffix}` };
    const database = await createDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await query(
      database.url,
      `${Object.values(roles)
        .map((role) => `create role ${role} login;`)
        .join(" ")}
      create extension citext schema public;
      grant create on database "${name}" to ${roles.owner}, ${roles.attacker};
      create schema shop authorization ${roles.owner};
      grant create on schema public to ${roles.attacker}`,
    );
    const world = new World(database, roles);
    await query(
      world.urlOf("owner"),
      `${tables}
      grant usage on schema shop to public;
      grant create on schema shop to ${roles.attacker};
      grant usage on type shop.mood, shop.email to public;
      grant select, insert, update, delete, truncate on all tables in schema shop to ${roles.application}`,
    );
    return world;
  }

  urlOf(role: keyof WorldRoles): string {
    return Object.assign(new URL(this.database.url), { username: this.roles[role] }).href;
  }

  /** SQL past the library, as the superuser, whatever search_path the database has. */
  query<Row extends Values>(text: string, values: unknown[] = []): Promise<Row[]> {
    return query<Row>(`${this.database.url}?options=${encodeURIComponent("-c search_path=pg_catalog")}`, text, values);
  }

  get name(): string {
    return new URL(this.database.url).pathname.slice(1);
  }

  async drop(): Promise<void> {
    await this.database.drop();
    const server = Object.assign(new URL(this.database.url), { pathname: "/postgres" }).href;
    for (const role of Object.values(this.roles)) await query(server, `drop role ${role}`);
  }
}
