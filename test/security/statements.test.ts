import { expect } from "chai";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { type Capture, eventLog } from "../../src/index.js";
import { Recorder, type Sent } from "./recorder.js";
import { callAll, membersWithoutCall } from "./surface.js";
import { World } from "./world.js";
import { loadParser, unqualifiedIn, unqualifiedInFunction } from "./unqualified.js";

/** What a safe statement and an unsafe one of each kind come to: the parser's walk can find something. */
const samples: Readonly<Record<string, string>> = {
  "select count(*) from pg_catalog.pg_class c": "function count",
  "select pg_catalog.now(), pg_catalog.count(*) filter (where true)": "",
  "select 1 operator(pg_catalog.=) 2": "",
  "select 1 = 2": "operator =",
  "select 1 = any (array[1])": "operator =",
  "select - $1 + 1": "operator +, operator -",
  "select 1 in (2)": "operator = of in",
  "select 1 in (select 2)": "operator = of in (select)",
  "select 1 between 2 and 3": "operator >= of between",
  "select nullif(1, 2)": "operator = of nullif",
  "select 1 is distinct from 2": "operator = of is distinct from",
  "select case 1 when 2 then 3 end": "operator = of case",
  "select case when true then 3 end": "",
  "select 'a' like 'b'": "operator ~~ of like",
  "select from pg_catalog.a join pg_catalog.b using (id)": "operator = of using",
  "select from pg_catalog.a natural join pg_catalog.b": "operator = of a natural join",
  "select '1'::jsonb, '1'::integer": "type jsonb",
  "select '1'::pg_catalog.jsonb, '{}'::pg_catalog.text[]": "",
  "select $1::text[]": "type text",
  "select 'pg_class'::pg_catalog.regclass": "name 'pg_class'",
  "select 'a.b'::pg_catalog.regclass, 'integer'::pg_catalog.regtype": "",
  "select 'jsonb'::pg_catalog.regtype": "name 'jsonb'",
  "select 'a' collate \"C\"": "collation C",
  "select 'a' collate pg_catalog.\"C\" order by 1": "",
  "select from event": "table event",
  "with e as (select 1) select from e, chronicle.event": "",
  "with e as (select 1) delete from e": "table e",
  "insert into event default values": "table event",
  "update event set a = 1": "table event",
  "lock table gate": "table gate",
  "drop table gate": "table gate",
  "create temporary table mine (id integer)": "",
  "create table mine (id pg_catalog.int4)": "table mine",
  "set local search_path = pg_catalog, pg_temp; select count(*) from event": "",
  "set local search_path = public; select count(*) from chronicle.event": "function count",
  "select coalesce(1, 2), greatest(1, 2), current_user, extract(epoch from current_timestamp)": "",
};

const bodies: Readonly<Record<string, string>> = {
  "language sql as 'select count(*)'": "function count",
  "language sql set search_path = pg_catalog, pg_temp as 'select count(*)'": "",
  "language sql set search_path = public as 'select count(*)'": "function count",
  "language sql begin atomic select count(*); end": "",
  "language plpgsql as 'declare a text; begin a := length(a) + 1; if a = b then perform f(); end if; end'":
    "type text, operator +, function length, operator =, function f",
  "language plpgsql as 'declare a pg_catalog.text; begin for a in select pg_catalog.f() loop null; end loop; end'": "",
};

describe("the walk through a statement", () => {
  before(loadParser);

  for (const [text, expected] of Object.entries(samples)) {
    it(`finds ${expected === "" ? "nothing" : expected} in: ${text}`, () => {
      expect(unqualifiedIn(text).join(", ")).to.equal(expected);
    });
  }

  for (const [text, expected] of Object.entries(bodies)) {
    it(`finds ${expected === "" ? "nothing" : expected} in a function: ${text}`, () => {
      expect(unqualifiedInFunction(`create function s.f() returns pg_catalog.int8 ${text}`).join(", ")).to.equal(
        expected,
      );
    });
  }
});

describe("what the library sends", () => {
  before(loadParser);

  for (const capture of ["trigger", "subscriber"] as const) {
    it(`looks up no name by a search_path that others may have made: ${capture} capture`, async function () {
      this.timeout(120_000);
      const { sent, bodies: installed } = await recorded(capture);
      expect(sent.length).to.be.greaterThan(100);
      expect(
        sent.filter(({ place }) => place === ""),
        "statements whose place is not known",
      ).to.deep.equal([]);
      const findings = new Map<string, Set<string>>();
      const add = (place: string, names: readonly string[]) => {
        if (names.length === 0) return;
        const known = findings.get(place) ?? new Set();
        for (const name of names) known.add(name);
        findings.set(place, known);
      };
      for (const each of sent) add(each.place, unqualifiedOf(each));
      for (const { name, definition } of installed) add(`${placeOf(name)} ${name}`, unqualifiedInFunction(definition));
      const list = [...findings].map(([place, names]) => `${place}: ${[...names].sort().join(", ")}`).sort();
      if (list.length > 0) expect.fail(`${list.length} places:\n${list.join("\n")}`);
    });
  }
});

/** What TypeORM itself sends when a DataSource is initialized, which a shadow's is too. */
const ofTypeORM = ["SELECT version()", "SELECT * FROM current_schema()"];

/** Names of a message, without those that the application wrote itself. */
function unqualifiedOf({ text, path, made }: Sent): string[] {
  if (ofTypeORM.includes(text)) return [];
  const names = unqualifiedIn(text, path);
  for (const name of made === undefined ? [] : unqualifiedIn(made)) {
    const index = names.indexOf(name);
    if (index >= 0) names.splice(index, 1);
  }
  return names;
}

interface Recorded {
  readonly sent: readonly Sent[];
  readonly bodies: readonly { readonly name: string; readonly definition: string }[];
}

/** All that was sent while everything was called, and the functions that are there in the end. */
async function recorded(capture: Capture): Promise<Recorded> {
  const world = await World.make();
  const recorder = new Recorder();
  const open = (role: "owner" | "application") =>
    recorder
      .dataSource({ type: "postgres", url: world.urlOf(role), entities: World.entities }, { capture })
      .initialize();
  const [owner, application] = [await open("owner"), await open("application")];
  try {
    expect(membersWithoutCall(eventLog(owner)), "members that nothing calls").to.deep.equal([]);
    expect(await callAll({ world, owner, application, capture })).to.deep.equal([]);
    const functions = await world.query<{ name: string; definition: string }>(`
      select p.proname as name, pg_get_functiondef(p.oid) as definition
      from pg_proc p join pg_roles r on r.oid = p.proowner
      where r.rolname = '${world.roles.owner}' and p.prokind <> 'a'
      order by 1`);
    expect(functions.length).to.be.greaterThan(50);
    return { sent: recorder.sent, bodies: functions };
  } finally {
    await owner.destroy();
    await application.destroy();
    await world.drop();
  }
}

/** The file that makes a function, and the line. */
function placeOf(name: string): string {
  const folder = "entities/functions";
  for (const file of readdirSync(join(ROOT, folder))) {
    const lines = readFileSync(join(ROOT, folder, file), "utf8").split("\n");
    const line = lines.findIndex((text) => new RegExp(`function \\$\\{s\\}\\.${name}\\(`).test(text));
    if (line >= 0) return `${folder}/${file}:${line + 1}`;
  }
  return folder;
}
