import { expect } from "chai";
import pg from "pg";
import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";
import { expectSameRows } from "../live-rows.js";
import { Application } from "../replay/application.js";
import { Guarded } from "./roles.js";

/** Names that end what they are written into, wherever that is. */
const names = [
  "it's; drop table x; --",
  "naïve 表 \u{1F9D9}",
  "a".repeat(63),
  "back\\slash $1 %s %1$L %I",
  "$capture$ $function$ $effects$ $$",
  "$statement$ $any$ $plain$ $split$ $make$ $check$ $effect$",
  "*/ comment /*",
  "__proto__",
  "constructor",
  "new_rows",
  "context",
  "position",
  "t",
] as const;

describe("a name that is hostile", () => {
  for (const name of names) {
    it(`is a name like any other for a table and its columns: ${name}`, async () => {
      const columns = Object.fromEntries(
        names.map((column, index) => [
          `column${index}`,
          { type: "text", name: column === name ? `${column.slice(0, 50)} 2` : column, nullable: true } as const,
        ]),
      );
      const schema = new EntitySchema<Record<string, unknown>>({
        name: `Hostile ${name}`,
        tableName: name,
        columns: { id: { type: "integer", primary: true, name: "id;'--" }, ...columns },
      });
      track(schema);
      // TypeORM cannot make a table with a quote in its name.
      const list = Object.values(columns).map((column) => `${pg.escapeIdentifier(column.name)} text`);
      const before = `create table ${pg.escapeIdentifier(name)} ("id;'--" integer primary key, ${list.join(", ")})`;
      const app = new Application({ entities: [schema], before, dataSource: { synchronize: false } });
      try {
        await app.start();
        const repository = app.dataSource.getRepository(schema);
        await repository.insert({ id: 1, column0: "first", column3: "x" });
        await repository.update({ id: 1 }, { column0: "second", column7: "own" });
        await repository.insert({ id: 2 });
        await repository.delete({ id: 2 });
        const rows = await app.rows();
        await app.wipe();
        await app.log.replay();
        expectSameRows(await app.rows(), rows);
        expect((await app.log.verify()).differences).to.deep.equal([]);
        const history = await app.log.history(schema, { "id;'--": 1 });
        expect(history.map(({ action }) => action)).to.deep.equal(["create", "update"]);
        expect(Object.keys(history[1]?.data ?? {})).to.have.length(2);
        expect({}).to.not.have.property("polluted");
      } finally {
        await app.stop();
      }
    });
  }
});

describe("a session that is hostile", () => {
  let guarded: Guarded;
  before(async () => (guarded = await Guarded.start()));
  after(() => guarded?.stop());

  it("cannot put objects of its own in the way of capture", async () => {
    const { application, roles } = guarded;
    await application.query(`create schema evil authorization ${roles.application}`);
    const client = await guarded.connect("application");
    await client.query(`
      create table evil.called (by text);
      create function evil.called(by text) returns void language sql as 'insert into evil.called values (by)';
      create function evil.to_jsonb(anyelement) returns jsonb language plpgsql as $$ begin perform evil.called('to_jsonb'); return '{"id": 666}'; end $$;
      create function evil.nextval(text) returns bigint language plpgsql as $$ begin perform evil.called('nextval'); return 666; end $$;
      create function evil.current_query() returns text language plpgsql as $$ begin perform evil.called('current_query'); return ''; end $$;
      create function evil.concat(jsonb, jsonb) returns jsonb language plpgsql as $$ begin perform evil.called('||'); return '{}'; end $$;
      create operator evil.|| (leftarg = jsonb, rightarg = jsonb, function = evil.concat);
      create function evil.same(jsonb, text) returns text language plpgsql as $$ begin perform evil.called('->>'); return 'x'; end $$;
      create operator evil.->> (leftarg = jsonb, rightarg = text, function = evil.same);
      create function evil.equal(integer, integer) returns boolean language plpgsql as $$ begin perform evil.called('='); return false; end $$;
      create operator evil.= (leftarg = integer, rightarg = integer, function = evil.equal);
      create table evil.event (position bigint);
      create table evil.tracked (id integer);
      create temp table event (like evil.event);
      create temp table tracked (id integer);
      create temp table installation (lock_arguments text);
      create temp table drawn (position bigint);
      create temp table effect (position bigint);
      create temp table new_rows (id integer);
      create temp table old_rows (id integer);
      create temp table jsonb (id integer);
      create function pg_temp.to_jsonb(anyelement) returns jsonb language sql as $$ select '{"id": 667}'::jsonb $$;
      set search_path = pg_temp, evil, pg_catalog, public`);
    await client.query("insert into public.account (name, settings) values ('Ada', '{\"a\": 1}')");
    await client.query("update public.account set name = 'Grace' where id OPERATOR(pg_catalog.=) 1");
    await client.query("delete from public.account");
    const events = await application.query(
      "select action, data ->> 'name' as name from chronicle.event order by position",
    );
    expect(events).to.deep.equal([
      { action: "create", name: "Ada" },
      { action: "update", name: "Grace" },
      { action: "destroy", name: null },
    ]);
    expect(await application.query("select by from evil.called")).to.deep.equal([]);
    expect(await application.value("select count(*) from evil.event")).to.equal("0");
  });
});
