import { expect } from "chai";
import { application } from "../replay/application.js";
import { dictionary, refused } from "./dictionary.js";
import { columnOf, difference, specimenSetting, Specimens, types } from "./specimens.js";

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

describe("values", () => {
  const app = application(specimenSetting);
  const specimens = new Specimens(app);
  const { paths } = specimens;
  const rowsOf = () => specimens.rows();

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
      await specimens.repository.insert({ id: ++specimens.id, [column]: values[0] });
      for (const value of [...values.slice(1), null]) {
        await specimens.repository.update({ id: specimens.id }, { [column]: value });
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
        await app.db.query(`insert into source (id, ${columnOf(type)}) values ($1, $2)`, [++specimens.id, value]);
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
