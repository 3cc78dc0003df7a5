import { Dice } from "./dice.js";
import { type Column, keysOf, liveName, type Model, type Table } from "./model.js";
import { listed, literal, quoted } from "./quoted.js";
import { keyValueOf, marks, valueOf } from "./values.js";

export const writeKinds = ["insert", "update", "delete", "upsert", "change key"] as const;

export interface Write {
  readonly kind: (typeof writeKinds)[number];
  readonly seed: number;
}

/** The SQL of a write, as the schema is now. */
export function writeSql(model: Model, { kind, seed }: Write): string {
  const dice = new Dice(seed);
  const table = dice.pick([...model.tables, ...model.tables.slice(0, 1)]);
  switch (kind) {
    case "insert":
      return insert(model, table, dice);
    case "upsert":
      return upsert(model, table, dice);
    case "update":
      return `update ${liveName(table)} set ${settings(model, table, dice)}${someRows(table, dice, 3)}`;
    case "delete":
      return `delete from ${liveName(table)}${someRows(table, dice, 2)}`;
    case "change key": {
      const key = dice.pick(keysOf(table));
      const set = `${quoted(key.name)} = ${value(model, table, key, dice)}`;
      return `update ${liveName(table)} set ${set}${someRows(table, dice, 1)}`;
    }
  }
}

/** Values by column: of all that need one, and of most others. */
export function rowOf(model: Model, table: Table, dice: Dice, { isWhole = false } = {}): Map<string, string> {
  const row = new Map<string, string>();
  for (const column of table.columns) {
    if (column.generated !== null) continue;
    const isNeeded = column.role === "key" || (!column.nullable && !column.hasDefault);
    if (isWhole || isNeeded || dice.chance(0.75)) row.set(column.name, value(model, table, column, dice));
  }
  return row;
}

function insert(model: Model, table: Table, dice: Dice): string {
  const rows = Array.from({ length: 1 + dice.below(3) }, () => rowOf(model, table, dice, { isWhole: true }));
  const one = rowOf(model, table, dice);
  const [names, values] =
    dice.chance(0.5) || rows[0] === undefined
      ? [[...one.keys()], [[...one.values()]]]
      : [[...rows[0].keys()], rows.map((row) => [...row.values()])];
  const lists = values.map((list) => `(${list.join(", ")})`).join(", ");
  return `insert into ${liveName(table)} (${listed(names)}) values ${lists} on conflict do nothing`;
}

function upsert(model: Model, table: Table, dice: Dice): string {
  const row = rowOf(model, table, dice);
  const keys = keysOf(table).map(({ name }) => name);
  const rest = [...row.keys()].filter((name) => !keys.includes(name));
  const set = rest.map((name) => `${quoted(name)} = excluded.${quoted(name)}`).join(", ");
  const then = rest.length === 0 ? "nothing" : `update set ${set}`;
  const values = `(${listed([...row.keys()])}) values (${[...row.values()].join(", ")})`;
  return `insert into ${liveName(table)} ${values} on conflict (${listed(keys)}) do ${then}`;
}

function settings(model: Model, table: Table, dice: Dice): string {
  const able = table.columns.filter(({ role, generated }) => role !== "key" && generated === null);
  const chosen = dice.shuffled(able.length > 0 ? able : keysOf(table)).slice(0, 1 + dice.below(3));
  return chosen.map((column) => `${quoted(column.name)} = ${value(model, table, column, dice)}`).join(", ");
}

/** A few rows that follow each other by their keys, from anywhere in the table. */
function someRows(table: Table, dice: Dice, most: number): string {
  const keys = listed(keysOf(table).map(({ name }) => name));
  const from = `(select ${dice.below(97)} % greatest(count(*), 1) from ${liveName(table)})`;
  const rows = `select ${keys} from ${liveName(table)} order by ${keys} offset ${from} limit ${1 + dice.below(most)}`;
  return ` where (${keys}) in (${rows})`;
}

function value(model: Model, table: Table, column: Column, dice: Dice): string {
  if (column.role === "key") return keyOf(model, table, column, dice);
  if (column.nullable && dice.chance(0.15)) return "null";
  if (column.role === "reference") return referred(model, dice);
  if (column.role === "unique") return keyValueOf(column.type, model.enums, dice, 400);
  const mark = column.role === "sensitive" || column.role === "excluded" ? marks[column.role] : null;
  if (mark === null || column.type !== "text") return valueOf(column.type, model.enums, dice);
  return literal(`${mark}${dice.below(1000)}`);
}

/** In a partitioned table mostly of a partition that is there; few in each, so that keys come again. */
function keyOf(model: Model, { partitions }: Table, { type }: Column, dice: Dice): string {
  const attached = partitions?.filter((partition) => partition.attached) ?? [];
  if (attached.length === 0 || dice.chance(0.05)) return keyValueOf(type, model.enums, dice);
  return String(dice.pick(attached).from + dice.below(15));
}

function referred(model: Model, dice: Dice): string {
  const [table] = model.tables;
  const [key] = table === undefined ? [] : keysOf(table);
  if (table === undefined || key === undefined) return "null";
  const name = quoted(key.name);
  const from = `(select ${dice.below(97)} % greatest(count(*), 1) from ${liveName(table)})`;
  return `(select ${name} from ${liveName(table)} order by ${name} offset ${from} limit 1)`;
}
