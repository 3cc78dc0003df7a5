import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect } from "chai";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import { application } from "../replay/application.js";
import { dictionary, preparation, refused } from "./dictionary.js";

interface Specimen extends Record<string, string | number | null> {
  id: number;
}

const types = Object.keys(dictionary);
const columnOf = (type: string) => `c${types.indexOf(type)}`;

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

/** What a session, a role or a database may have set. */
const settings = {
  timezone: "'Asia/Kathmandu'",
  datestyle: "'SQL, DMY'",
  extra_float_digits: "-15",
  bytea_output: "'escape'",
  intervalstyle: "'iso_8601'",
  search_path: "hostile, pg_catalog, public",
  standard_conforming_strings: "off",
  array_nulls: "off",
  xmloption: "'document'",
  backslash_quote: "on",
};

/** In COPY's text format. */
const copied = (value: string) =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");

/** What is not in both lists, in short. */
function difference(actual: readonly string[], wanted: readonly string[]): string[] {
  const [a, b] = [new Set(actual), new Set(wanted)];
  const lines = [
    ...wanted.filter((line) => !a.has(line)).map((line) => `- ${line}`),
    ...actual.filter((line) => !b.has(line)).map((line) => `+ ${line}`),
  ];
  return actual.length === wanted.length
    ? lines.map((line) => line.slice(0, 300))
    : [`${actual.length} for ${wanted.length}`, ...lines];
}

describe("values", () => {
  const app = application({ entities: [specimen], before: preparation + tables.join("\n") });
  let id = 0;

  const repository = () => app.dataSource.getRepository(specimen);

  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await (
      app.dataSource.driver as unknown as { master: { connect(): Promise<pg.PoolClient> } }
    ).master.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }

  /** The paths that can carry any value. */
  const paths: Readonly<Record<string, (column: string, value: string) => Promise<unknown>>> = {
    save: (column, value) => repository().save({ id: ++id, [column]: value }),
    insert: (column, value) => repository().insert({ id: ++id, [column]: value }),
    update: async (column, value) => {
      await repository().insert({ id: ++id });
      await repository().update({ id }, { [column]: value });
    },
    SQL: async (column, value) => {
      await app.dataSource.query(`insert into specimen (id, ${column}) values ($1, $2)`, [++id, value]);
      await app.dataSource.query(`update specimen set id = -id where id = $1`, [id]);
    },
    COPY: (column, value) =>
      withClient((client) =>
        pipeline(
          Readable.from([`${++id}\t${copied(value)}\n`]),
          client.query(copyFrom(`copy specimen (id, ${column}) from stdin`)),
        ),
      ),
  };

  /** The rows, of which one column holds a value: as its text, and, which no text can hide, as the protocol sends the row. */
  const rowsOf = async () => {
    await app.db.query("set extra_float_digits = 1");
    const rows = await app.sql<{ id: number; text: string; bytes: string }>(
      `select id, concat(${types.map((type) => `${columnOf(type)}::text`).join(", ")}) as text,
         encode(sha256(record_send(t)), 'hex') as bytes from specimen t order by id`,
    );
    return rows.map(({ id: row, text, bytes }) => `${row} ${text} ${bytes}`);
  };

  for (const [path, write] of Object.entries(paths)) {
    const tried = Object.values(dictionary).reduce((sum, values) => sum + values.length, 0);
    it(`of every type come back byte-equal, by ${path}: ${tried} of ${tried} values of ${types.length} types`, async function () {
      this.timeout(120_000);
      const failed: string[] = [];
      for (const [type, values] of Object.entries(dictionary)) {
        for (const value of values) {
          await write(columnOf(type), value).catch((error: Error) =>
            failed.push(`${type} ${value.slice(0, 50)}: ${error.message}`),
          );
        }
      }
      expect(failed).to.deep.equal([]);
      const rows = await rowsOf();
      expect(rows).to.have.length(tried);
      await app.wipe();
      const { rows: replayed } = await app.log.replay();
      expect(replayed.inserted).to.equal(tried);
      expect(difference(await rowsOf(), rows)).to.deep.equal([]);
      expect((await app.log.verify()).equal).to.equal(true);
    });
  }

  it(`that PostgreSQL refuses are recorded by no path: ${Object.values(refused).flat().length} values`, async () => {
    for (const [type, values] of Object.entries(refused)) {
      for (const value of values) {
        for (const [path, write] of Object.entries(paths)) {
          const before = Number((await app.sql<{ count: string }>("select count(*) from specimen"))[0]?.count);
          const code = await write(columnOf(type), value).then(
            () => "written",
            (error: { code?: string }) => String(error.code),
          );
          expect(code, `${type} ${value} by ${path}`).to.match(/^[0-9A-Z]{5}$/);
          const after = Number((await app.sql<{ count: string }>("select count(*) from specimen"))[0]?.count);
          expect(after - before, `${type} ${value} by ${path}`).to.be.at.most(path === "update" ? 1 : 0);
        }
      }
    }
    const events = await app.events();
    expect(events.every(({ data }) => Object.keys(data).every((key) => key === "id" || data[key] === null))).to.equal(
      true,
    );
    expect((await app.log.verify()).equal).to.equal(true);
  });

  it("replaced by one another keep both sides", async function () {
    this.timeout(120_000);
    let updates = 0;
    for (const [type, values] of Object.entries(dictionary)) {
      const column = columnOf(type);
      await repository().insert({ id: ++id, [column]: values[0] });
      for (const value of [...values.slice(1), null]) {
        await repository().update({ id }, { [column]: value });
        updates++;
      }
    }
    const chained = await app.sql<{ broken: string; updates: string }>(
      `select count(*) filter (where previous <> before) as broken, count(*) filter (where action = 'update') as updates
       from (select action, previous - 'id' as previous, lag(data) over (partition by record_key order by position) as before from chronicle.event) e
       where action = 'update' and before is not null and before ?& array(select jsonb_object_keys(previous))
       and not before ? 'id'`,
    );
    expect(chained[0]?.broken).to.equal("0");
    expect(Number(chained[0]?.updates)).to.be.greaterThan(updates / 3);
    const rows = await rowsOf();
    await app.wipe();
    await app.log.replay();
    expect(difference(await rowsOf(), rows)).to.deep.equal([]);
  });

  it("come back byte-equal whatever a database has set", async function () {
    this.timeout(120_000);
    for (const [type, values] of Object.entries(dictionary)) {
      for (const value of values) await paths["insert"]?.(columnOf(type), value);
    }
    const rows = await rowsOf();
    await app.wipe();
    const [{ name } = { name: "" }] = await app.sql<{ name: string }>("select current_database() as name");
    const change = (how: string) =>
      app.db.query(
        how === "set"
          ? Object.entries(settings)
              .map(([key, value]) => `alter database ${name} set ${key} = ${value}`)
              .join("; ")
          : `alter database ${name} reset all`,
      );
    await change("set");
    try {
      await app.log.replay();
      expect((await app.log.verify()).equal).to.equal(true);
    } finally {
      await change("reset");
    }
    expect(difference(await rowsOf(), rows)).to.deep.equal([]);
  });

  it("are stored the same whatever a session, a role or a database has set", async function () {
    this.timeout(120_000);
    for (const [type, values] of Object.entries(dictionary)) {
      for (const value of values)
        await app.db.query(`insert into source (id, ${columnOf(type)}) values ($1, $2)`, [++id, value]);
    }
    const stored = async () => {
      await app.db.query(
        "insert into specimen select * from source; update specimen set id = id + 1000000; delete from specimen",
      );
      const events = await app.sql<{ event: string }>(
        "select jsonb_build_array(record_key, action, data, previous)::text as event from chronicle.event order by position",
      );
      await app.db.query(
        "set session_replication_role = replica; truncate chronicle.event; reset session_replication_role",
      );
      return events.map(({ event }) => event);
    };
    const plain = await stored();
    expect(plain).to.have.length((await app.sql("select from source")).length * 4);
    await app.db.query(`create schema hostile;
      create function hostile.to_jsonb(anyelement) returns jsonb language sql as $$ select '"forged"'::jsonb $$;
      create function hostile.nextval(text) returns bigint language sql as $$ select 1::bigint $$;
      create function hostile.not_equal(record, record) returns boolean language plpgsql as $$ begin return false; end $$;
      create operator hostile.*<> (leftarg = record, rightarg = record, function = hostile.not_equal);`);
    const [{ name } = { name: "" }] = await app.sql<{ name: string }>("select current_database() as name");
    const set = (how: string, reset = false) =>
      app.db.query(
        Object.entries(settings)
          .map(([key, value]) => (reset ? `${how} reset ${key}` : `${how} set ${key} = ${value}`))
          .join("; "),
      );
    const own = app.db;
    try {
      await app.db.query(
        Object.entries(settings)
          .map(([key, value]) => `set ${key} = ${value}`)
          .join("; "),
      );
      expect(difference(await stored(), plain), "session").to.deep.equal([]);
      await app.db.query("reset all");
      for (const how of [`alter database ${name}`, `alter role current_user in database ${name}`]) {
        await set(how);
        app.db = await app.connect();
        expect(
          (await app.sql<{ timezone: string }>("select current_setting('timezone') as timezone"))[0]?.timezone,
        ).to.equal("Asia/Kathmandu");
        expect(difference(await stored(), plain), how).to.deep.equal([]);
        app.db = own;
        await set(how, true);
      }
    } finally {
      app.db = own;
    }
  });
});
