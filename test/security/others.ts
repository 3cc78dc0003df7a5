import { EntitySchema } from "typeorm";
import { track } from "../../src/index.js";

export type Values = Record<string, unknown>;
type Id = string | number;

/**
 * What everything that the attacker made calls. It tries what only the log's owner may, and warns: a warning gets out of
 * any transaction.
 */
export const alarm = (attacker: string): string => `
  create schema theirs authorization ${attacker};
  grant usage on schema theirs to public;
  set role ${attacker};
  create function theirs.ran(double text) returns boolean language plpgsql as $$
  declare
    attempt text;
    did text[] := '{}';
  begin
    foreach attempt in array array[
      'reset role', 'set session authorization default', 'select data from chronicle.event_sensitive'
    ] loop
      begin
        execute attempt;
        did := did || attempt;
      exception when others then null;
      end;
    end loop;
    raise warning 'attack: %', json_build_object('double', double, 'as', current_user, 'did', did);
    return true;
  end $$;
  -- The planner computes what is constant.
  create function theirs.planned(double text) returns boolean language plpgsql immutable as $$
  begin
    return theirs.ran(double);
  end $$;
  reset role`;

const casts = ["json", "jsonb", "text", "character varying"];

/** A cast is unique per pair of types, so no other place could be tried. */
const castTo = (type: string, target: string): string => `
  create function theirs."${type} to ${target}"(theirs.${type}) returns ${target} language plpgsql as $$
  begin
    perform theirs.ran('${type} to ${target}');
    return '"cast"';
  end $$;
  create cast (theirs.${type} as ${target}) with function theirs."${type} to ${target}"(theirs.${type})`;

/** The way back: what a value would be read by. */
const castFrom = (type: string): string => `
  create function theirs."text to ${type}"(text) returns theirs.${type} language plpgsql as $$
  begin
    perform theirs.ran('text to ${type}');
    return null;
  end $$;
  create cast (text as theirs.${type}) with function theirs."text to ${type}"(text)`;

const operators = (type: string): string =>
  ["=", "<>"]
    .map(
      (name, index) => `
  create function theirs."${type} operator ${index}"(theirs.${type}, theirs.${type}) returns boolean
    language plpgsql as $$ begin return theirs.ran('${type} ${name} ${type}'); end $$;
  create operator theirs.${name} (
    leftarg = theirs.${type}, rightarg = theirs.${type}, function = theirs."${type} operator ${index}")`,
    )
    .join(";");

/** Types of the attacker, each with what its owner can have run. */
export const types: readonly string[] = [
  "create type theirs.mood as enum ('good', 'bad')",
  "create type theirs.pair as (name text, size integer)",
  "create domain theirs.email as text check (theirs.ran('check of email'))",
  "create domain theirs.code as integer check (theirs.ran('check of code'))",
  "create type theirs.span as range (subtype = theirs.mood)",
  ...["mood", "pair", "span"].flatMap((type) => [
    ...casts.map((target) => castTo(type, target)),
    castFrom(type),
    operators(type),
  ]),
  castTo("pair", "xml"),
];

/** Expressions that call what the attacker made, and what that says of itself. */
export const naive: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["mood", "pair", "span"].flatMap((type) => [
      ...casts.map((target) => [`${type} to ${target}`, `null::theirs.${type}::${target}`]),
      [`text to ${type}`, `null::text::theirs.${type}`],
      ...["=", "<>"].map((name) => [
        `${type} ${name} ${type}`,
        `null::theirs.${type} operator(theirs.${name}) null::theirs.${type}`,
      ]),
    ]),
  ),
  "mood to json": "to_jsonb('good'::theirs.mood)",
  "mood to text": "array['good'::theirs.mood]::text[]",
  "check of email": "jsonb_populate_record(null::shop.of_code, '{}')",
  "check of code": "5::theirs.code",
};

/** Types of the owner's that are made of theirs. */
export const ours = "create domain shop.mine as theirs.mood; create type shop.ours as (mood theirs.mood)";

/** Columns of every table: a type of each kind, and the values that a row has at first and later. */
const columns: Readonly<Record<string, { readonly type: string; readonly values: readonly [string, string] }>> = {
  label: { type: "text", values: ["new", "changed"] },
  mood: { type: "theirs.mood", values: ["good", "bad"] },
  moods: { type: "theirs.mood[]", values: ["{good}", "{bad,NULL}"] },
  pair: { type: "theirs.pair", values: ["(a,1)", "(b,)"] },
  blank: { type: "theirs.pair", values: ["(,)", "(,2)"] },
  email: { type: "theirs.email", values: ["ada@a.example", "bob@b.example"] },
  code: { type: "theirs.code", values: ["1", "2"] },
  span: { type: "theirs.span", values: ["[good,bad]", "(good,bad]"] },
  mine: { type: "shop.mine", values: ["good", "bad"] },
  ours: { type: "shop.ours", values: ["(good)", "(bad)"] },
  hidden: { type: "theirs.mood", values: ["good", "bad"] },
};

/** Tables by the type of their key, with two keys each. */
export const keys: Readonly<Record<string, { readonly type: string; readonly values: readonly [Id, Id] }>> = {
  integer: { type: "integer", values: [1, 2] },
  mood: { type: "theirs.mood", values: ["good", "bad"] },
  code: { type: "theirs.code", values: [11, 12] },
  email: { type: "theirs.email", values: ["Ada", "Bob"] },
};

/** A row with the first values or the second. */
export const rowOf = (id: Id, which: 0 | 1): Values => ({
  id,
  ...Object.fromEntries(Object.entries(columns).map(([name, { values }]) => [name, values[which]])),
});

/** The same row as an event has it: the column that is excluded is not there. */
export const recorded = (id: Id, which: 0 | 1, name = "integer"): Values => {
  const { hidden: _, ...row } = rowOf(id, which);
  return { ...row, ...idOf(name, id) };
};

/** A key of others is text in the log. */
export const idOf = (name: string, id: Id): { id: unknown } => ({ id: name === "integer" ? id : String(id) });

export const entities = Object.fromEntries(
  Object.keys(keys).map((name) => {
    const entity = new EntitySchema<Values>({
      name: `Of ${name}`,
      tableName: `of_${name}`,
      schema: "shop",
      columns: {
        id: { type: ["integer", "code"].includes(name) ? "integer" : "text", primary: true },
        ...Object.fromEntries(
          Object.keys(columns).map((column) => [column, { type: "text", nullable: true }] as const),
        ),
      },
    });
    track(entity, { exclude: ["hidden"] });
    return [name, entity];
  }),
);

export const tables = Object.entries(keys)
  .map(
    ([name, { type }]) =>
      `create table shop.of_${name} (id ${type} primary key, ${Object.entries(columns)
        .map(([column, other]) => `${column} ${other.type}`)
        .join(", ")})`,
  )
  .join(";\n");
