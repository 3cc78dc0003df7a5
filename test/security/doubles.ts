import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { ROOT } from "../../dev/bootstrap/root.mjs";

/** Something that an attacker makes in the place of what is meant. It does what the original does, and tells. */
export interface Double {
  readonly kind: "function" | "operator" | "type" | "table";
  readonly name: string;
  /** SQL that makes it; `<schema>` stands for the schema. */
  readonly made: string;
  /** A naive expression that calls it. */
  readonly call: string;
}

export interface Catalog {
  query<Row extends Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
}

/** What every double calls: a warning gets out of any transaction, and a sequence keeps count whatever is heard. */
export const alarm = (attacker: string): string => `
  create schema attack authorization ${attacker};
  grant usage on schema attack to public;
  set role ${attacker};
  create sequence attack.times;
  grant select, usage on sequence attack.times to public;
  create function attack.ran(double text) returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
  declare
    stack text;
  begin
    get diagnostics stack = pg_context;
    if current_setting('transaction_read_only') = 'off' then perform nextval('attack.times'); end if;
    raise warning 'attack: %', json_build_object('double', double, 'as', current_user, 'session', session_user, 'stack', stack);
    return true;
  end $$;
  reset role`;

const literal = pg.escapeLiteral;
const quoted = pg.escapeIdentifier;
const body = (lines: string): string => `language plpgsql as ${literal(lines)}`;
const ran = (name: string): string => `perform attack.ran(${literal(name)});`;

/** Types at call sites: those of the catalog, of the log's columns and of what applications make. */
const types = `
  text, character varying, name, "char", boolean, smallint, integer, bigint, numeric, oid, double precision,
  regclass, regtype, jsonb, json, timestamp with time zone, date, uuid, bytea, xid8, pg_snapshot, text[],
  name[], bigint[], oid[], smallint[], jsonb[], xid8[], shop.mood, shop.mood[], shop.email, public.citext,
  shop.by_uuid, character varying[]`
  .trim()
  .split(/,\s+/);
/** Types that have no operators of their own, or might be given others. */
const keyTypes = `
  character varying, shop.mood, shop.email, shop.mood[], public.citext, text[], name, regclass, smallint, uuid,
  numeric, jsonb, timestamp with time zone, text, integer, bigint, oid, xid8`
  .trim()
  .split(/,\s+/);

/** Words of the library's SQL: what is doubled is everything of the catalog that is called by one of them. */
function words(): string[] {
  const files = ["src", "entities", "replay", "subscribers"].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(ROOT, room, file), "utf8")),
  );
  return [...new Set(files.flatMap((text) => text.match(/[a-z_][a-z0-9_]*/g) ?? []))];
}

interface FoundFunction {
  readonly name: string;
  readonly kind: "f" | "a" | "w";
  readonly takes: string;
  readonly gives: string;
  readonly types: string[];
  readonly variadic: boolean;
  readonly set: boolean;
  readonly [column: string]: unknown;
}

/** Every double of the catalog's functions, operators, types and tables, and of the log's own tables. */
export async function doubles(catalog: Catalog): Promise<Double[]> {
  const known = words();
  const functions = await catalog.query<FoundFunction>(
    `select p.proname as name, p.prokind as kind, pg_get_function_arguments(p.oid) as takes, p.proretset as set,
       pg_get_function_result(p.oid) as gives, p.provariadic <> 0 as variadic,
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, n) order by n) as types
     from pg_proc p left join pg_aggregate a on a.aggfnoid = p.oid
     where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind <> 'p' and p.proname = any ($1)
       and coalesce(a.aggkind, 'n') = 'n'
     order by p.oid`,
    [known],
  );
  const operators = await catalog.query<{ name: string; left: string | null; right: string; gives: string }>(
    `select o.oprname as name, format_type(nullif(o.oprleft, 0), null) as left, format_type(o.oprright, null) as right,
       format_type(o.oprresult, null) as gives
     from pg_operator o where o.oprnamespace = 'pg_catalog'::regnamespace order by o.oid`,
  );
  const found = await catalog.query<{ types: string[]; tables: string[] }>(
    `select array(select typname::text from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b'
         and typelem = 0 and typname = any ($1)) as types,
       array(select relname::text from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
         and relname = any ($1)) as tables`,
    [known],
  );
  return [
    ...functions.flatMap((each) => (each.kind === "f" ? functionDoubles(each) : aggregateDoubles(each))),
    ...operatorDoubles(operators),
    ...typeDoubles(found[0]?.types ?? []),
    ...tableDoubles(found[0]?.tables ?? []),
  ];
}

const polymorphic = /\bany(?:compatible)?(?:element|nonarray|enum|array)?\b|"any"/;
const unusable = /\b(?:internal|cstring|trigger|event_trigger|anyrange|anycompatiblerange|anymultirange|\w*_handler)\b/;

/** A function's types with one type in the place of all that may be any; none where that makes no type. */
function withType(text: string, type: string): string {
  const element = type.endsWith("[]") ? undefined : type;
  return text
    .replaceAll(/\bany(?:compatible)?array\b/g, element === undefined ? "internal" : `${element}[]`)
    .replaceAll(/\bany(?:compatible)?(?:element|enum|nonarray)?\b|"any"/g, type);
}

function functionDoubles(found: FoundFunction): Double[] {
  const variants = polymorphic.test(`${found.takes} ${found.gives}`) ? types : [""];
  return variants.flatMap((type) => {
    const as = (text: string) => (type === "" ? text : withType(text, type));
    const takes = found.types.map(as);
    if (found.types.at(-1) !== '"any"' || !found.variadic) {
      const called = takes.map((each, at) =>
        found.variadic && at === takes.length - 1 ? each.replace("[]", "") : each,
      );
      return functionDouble(found, as(found.takes), called, as);
    }
    // No function of SQL takes VARIADIC "any": an array of one type does for many arguments, and exact ones for few.
    const before = takes.slice(0, -1);
    return [
      ...functionDouble(found, [...before, `variadic ${type}[]`].join(", "), [...takes, type, type], as),
      ...functionDouble(found, takes.join(", "), takes, as),
      ...functionDouble(found, [...before, "text", type].join(", "), [...before, "text", type], as),
    ];
  });
}

/** `called` are the types of the arguments of a call. */
function functionDouble(
  { name, gives, set, types: { length } }: FoundFunction,
  signature: string,
  called: readonly string[],
  as: (text: string) => string,
): Double[] {
  if (unusable.test(`${signature} ${as(gives)}`) || signature.includes("[][]")) return [];
  const isVariadic = /\bvariadic\b/i.test(signature);
  const taken = isVariadic ? length : called.length;
  const passed = Array.from(
    { length: taken },
    (_, at) => `${isVariadic && at === taken - 1 ? "variadic " : ""}$${at + 1}`,
  );
  const original = `pg_catalog.${quoted(name)}(${passed.join(", ")})`;
  const label = `function ${name}(${signature})`;
  const answers = set ? `return query select * from ${original}` : `return ${original}`;
  const answer = gives === "void" ? `perform ${original}` : answers;
  return [
    {
      kind: "function",
      name: label,
      made: `create function <schema>.${quoted(name)}(${signature}) returns ${as(gives)} ${body(`begin ${ran(label)} ${answer}; end`)}`,
      call: `${quoted(name)}(${called.map((type) => `null::${type}`).join(", ")})`,
    },
  ];
}

/** An aggregate keeps what it was given as text, and asks the original in the end. */
function aggregateDoubles({ name, gives, types: argumentTypes, kind }: FoundFunction): Double[] {
  if (kind !== "a") return [];
  const variants = argumentTypes.some((type) => polymorphic.test(type)) ? types : [""];
  return variants.flatMap((type, index) => {
    const as = (text: string) => (type === "" ? text : withType(text, type));
    const takes = argumentTypes.map(as);
    const result = as(gives);
    if (unusable.test(`${takes.join()} ${result}`)) return [];
    const label = `aggregate ${name}(${takes.join(", ") || "*"})`;
    const helper = `${name} ${takes.join(" ")} ${index}`.slice(0, 50);
    const kept = takes.map((_, at) => `case when $${at + 2} is not null then pg_catalog.format('%s', $${at + 2}) end`);
    const given = takes.map((each, at) => `(e.value operator(pg_catalog.->>) ${at})::${each}`).join(", ") || "*";
    const collect = `begin return $1 operator(pg_catalog.||) pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_array(${kept.join(", ")})); end`;
    const end = `begin ${ran(label)} return (select pg_catalog.${quoted(name)}(${given}) from pg_catalog.jsonb_array_elements($1) e); end`;
    return {
      kind: "function",
      name: label,
      made: `create function <schema>.${quoted(`${helper} collect`)}(${["pg_catalog.jsonb", ...takes].join(", ")}) returns pg_catalog.jsonb ${body(collect)};
        create function <schema>.${quoted(`${helper} end`)}(pg_catalog.jsonb) returns ${result} ${body(end)};
        create aggregate <schema>.${quoted(name)}(${takes.join(", ") || "*"}) (sfunc = <schema>.${quoted(`${helper} collect`)},
          stype = pg_catalog.jsonb, initcond = '[]', finalfunc = <schema>.${quoted(`${helper} end`)})`,
      call: `${quoted(name)}(${takes.map((each) => `null::${each}`).join(", ") || "*"})`,
    };
  });
}

interface FoundOperator {
  readonly name: string;
  readonly left: string | null;
  readonly right: string;
  readonly gives: string;
}

function operatorDoubles(found: readonly FoundOperator[]): Double[] {
  const plain = found.filter(({ left, right }) => !polymorphic.test(`${left} ${right}`));
  const names = [...new Set(found.filter(({ left }) => left !== null).map(({ name }) => name))];
  const key = ({ left, name, right }: FoundOperator) => `${left} ${name} ${right}`;
  const there = new Set(plain.map(key));
  const results = new Map(found.map(({ name, gives }) => [name, gives]));
  const pairs = keyTypes.flatMap((type) => [
    [type, type],
    [type, "text"],
    ["text", type],
  ]);
  const more = names.flatMap((name) =>
    pairs.flatMap(([left = "", right = ""]) => {
      const of = (gives: string) => (name === "||" && polymorphic.test(gives) ? left : gives);
      const gives = name === "||" && left === "jsonb" ? "jsonb" : of(results.get(name) ?? "boolean");
      return [{ name, left, right, gives }];
    }),
  );
  const all = new Map([...plain, ...more.filter((each) => !there.has(key(each)))].map((each) => [key(each), each]));
  return [...all.values()]
    .filter(({ left, right, gives }) => !unusable.test(`${left} ${right}`) && !polymorphic.test(gives))
    .map(({ name, left, right, gives }, index) => {
      const label = `operator ${left ?? ""} ${name} ${right}`;
      const original = left === null ? `operator(pg_catalog.${name}) $1` : `$1 operator(pg_catalog.${name}) $2`;
      const half = quoted(`operator ${index}`);
      const arguments_ = left === null ? right : `${left}, ${right}`;
      return {
        kind: "operator",
        name: label,
        made: `create function <schema>.${half}(${arguments_}) returns ${gives} ${body(`begin ${ran(label)} return ${original}; end`)};
          create operator <schema>.${name} (${left === null ? "" : `leftarg = ${left}, `}rightarg = ${right}, function = <schema>.${half})`,
        call: `${left === null ? "" : `null::${left} `}${name} null::${right}`,
      };
    });
}

function typeDoubles(names: readonly string[]): Double[] {
  return names.map((name) => ({
    kind: "type",
    name: `type ${name}`,
    made: `create domain <schema>.${quoted(name)} as pg_catalog.${quoted(name)} check (attack.ran(${literal(`type ${name}`)}))`,
    call: `null::${quoted(name)}`,
  }));
}

/** The names of the log's own tables; what is in them, nobody else may know. */
const ownTables = [
  "event",
  "event_sensitive",
  "tracked",
  "installation",
  "bookmark",
  "activity",
  "gate",
  "table_shape",
];
const moreTables = ["schema_change", "commit_marker", "sleeping_tail", "activity_writer", "drawn", "effect"];

function tableDoubles(names: readonly string[]): Double[] {
  const view = (name: string, query: string): Double => ({
    kind: "table",
    name: `table ${name}`,
    made: `create view <schema>.${quoted(name)} as ${query}; grant select on <schema>.${quoted(name)} to public`,
    call: `exists (select from ${quoted(name)} limit 1)`,
  });
  return [
    ...names.map((name) =>
      view(name, `select t.* from pg_catalog.${quoted(name)} t where (select attack.ran(${literal(`table ${name}`)}))`),
    ),
    ...[...ownTables, ...moreTables].map((name) =>
      view(name, `select 1::pg_catalog.int8 as position where attack.ran(${literal(`table ${name}`)})`),
    ),
  ];
}
