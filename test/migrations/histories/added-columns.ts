import { type ChangeKind, type ChangeStep, notedOther, type OnCopies } from "./change.js";
import { type ColumnType, isTextual, scalars, sqlOf } from "./column-types.js";
import type { Dice } from "./dice.js";
import {
  type Column,
  expressionOf,
  freeName,
  liveName,
  type Model,
  type Role,
  type Table,
  withColumn,
  withoutColumn,
  withTable,
} from "./model.js";
import { liveRow } from "./lives.js";
import { quoted } from "./quoted.js";
import { valueOf } from "./values.js";

export interface Added {
  readonly name: string;
  readonly type: ColumnType;
  readonly role?: Role;
  readonly nullable?: boolean;
  readonly hasDefault?: boolean;
  readonly generated?: Column["generated"];
}

export function withAdded(model: Model, table: Table, added: Added): { after: Model; column: Column; now: Table } {
  const column: Column = {
    role: "plain",
    nullable: true,
    hasDefault: false,
    generated: null,
    ...added,
    id: model.nextId,
  };
  const now = { ...table, columns: [...table.columns, column] };
  return { after: { ...withTable(model, now), nextId: model.nextId + 1 }, column, now };
}

export function typeFor(model: Model, dice: Dice): ColumnType {
  if (model.enums.length === 0 || dice.chance(0.75)) return dice.pick(scalars);
  return { enumName: dice.pick(model.enums).name, isArray: dice.chance(0.5) };
}

/** `add column`, for the table and its copies alike; these take null too. */
function addition(model: Model, table: Table, added: Added, rest = ""): ChangeStep {
  const column = `${quoted(added.name)} ${sqlOf(added.type)}${rest}`;
  const notNull = added.nullable === false ? " not null" : "";
  // A default that stayed could not follow a change of type, nor would it be dropped when the table's is.
  const noDefault = (copy: string) =>
    added.generated ? "" : `; alter table ${copy} alter column ${quoted(added.name)} drop default`;
  return {
    sql: `alter table ${liveName(table)} add column ${column}${notNull}`,
    onCopies: [
      // Rows of the past may hold numbers too large for the expression.
      {
        tableId: table.id,
        sql: (copy) => `alter table ${copy} add column ${column.replace(" * 2)", "::numeric * 2)")}${noDefault(copy)}`,
      },
      ...(rest.startsWith(" default") ? [unknownFill(model, table, added)] : []),
    ],
    after: withAdded(model, table, added).after,
  };
}

/** Records that had no row when a constant was given have nothing that tells it, once the catalog does not. */
function unknownFill(model: Model, table: Table, { type }: Added): OnCopies {
  return {
    tableId: table.id,
    sql: (copy, names) => notedOther(copy, names, sqlOf(type), "null", `not exists (select ${liveRow(table, copy)})`),
    other: { id: model.nextId, type, onceRewritten: true, isOfWindow: true },
  };
}

/** Copies get what the live row has, and null if there is none: nobody could know more. */
function fromLive(table: Table, name: string): Pick<OnCopies, "tableId" | "sql"> {
  const value = (copy: string) => `(select l.${quoted(name)} ${liveRow(table, copy)})`;
  return { tableId: table.id, sql: (copy) => `update ${copy} c set ${quoted(name)} = ${value(copy)}` };
}

const addNullable: ChangeKind = (model, table, dice) => ({
  steps: [addition(model, table, { name: freeName(table, "plain", dice), type: typeFor(model, dice) })],
});

const addWithDefault =
  (more: { nullable: boolean; isDropped?: boolean }): ChangeKind =>
  (model, table, dice) => {
    const type = typeFor(model, dice);
    const added = { name: freeName(table, "plain", dice), type, nullable: more.nullable, hasDefault: true };
    const value = type === "timestamptz" && dice.chance(0.5) ? "now()" : valueOf(type, model.enums, dice);
    const add = addition(model, table, added, ` default ${value}`);
    if (!more.isDropped) return { steps: [add] };
    const after = withAdded(model, table, { ...added, hasDefault: false }).after;
    const sql = `alter table ${liveName(table)} alter column ${quoted(added.name)} drop default`;
    return { steps: [add, { sql, after }] };
  };

/** What only rows could tell, once they cannot. */
function unwitnessed(table: Table, { id, type }: Pick<Column, "id" | "type">): OnCopies {
  return {
    tableId: table.id,
    sql: (copy, names) => notedOther(copy, names, sqlOf(type), "null", "false"),
    other: { id, type, isOfWindow: true },
  };
}

const addVolatile: ChangeKind = (model, table, dice) => {
  const [type, value] = dice.pick([
    ["uuid", "gen_random_uuid()"],
    ["int", "(random() * 1000000)::int"],
    ["text", "md5(random()::text)"],
    ["timestamptz", "clock_timestamp()"],
  ] as const);
  const nullable = dice.chance(0.5);
  const added = { name: freeName(table, "plain", dice), type, nullable, hasDefault: true };
  const { after } = withAdded(model, table, added);
  const column = `${quoted(added.name)} ${type}`;
  const sql = `alter table ${liveName(table)} add column ${column}${nullable ? "" : " not null"} default ${value}`;
  const add = { tableId: table.id, sql: (copy: string) => `alter table ${copy} add column ${column}` };
  const unknown = unwitnessed(table, { id: model.nextId, type });
  // A record that the install takes for another from then on may have had an event that tells the value.
  const told: OnCopies = {
    tableId: table.id,
    sql: (copy, names) =>
      notedOther(copy, names, type, `(select l.${quoted(added.name)} ${liveRow(table, copy, { orRekeyed: true })})`),
    other: { id: model.nextId, type },
  };
  return { steps: [{ sql, onCopies: [add, fromLive(table, added.name), unknown, told], after }], isLearnedLate: true };
};

/** As TypeORM does it for a changed type. */
const dropAndAdd: ChangeKind = (model, table, dice) => {
  const old = table.columns.filter(({ role, generated }) => role !== "key" && generated === null);
  if (old.length === 0) return null;
  const column = dice.pick(old);
  const without = withoutColumn(table, column);
  const role = column.role === "excluded" || (column.role === "sensitive" && dice.chance(0.5)) ? column.role : "plain";
  const type = role === "plain" ? typeFor(model, dice) : "text";
  const dropped = withTable(model, without);
  const dropSql = (target: string) => `alter table ${target} drop column ${quoted(column.name)}`;
  const hasDefault = role !== "excluded" && dice.chance(0.5);
  const rest = hasDefault ? ` default ${valueOf(type, model.enums, dice)}` : "";
  return {
    steps: [
      { sql: dropSql(liveName(table)), onCopies: [{ tableId: table.id, sql: dropSql }], after: dropped },
      addition(dropped, without, { name: column.name, type, role, hasDefault }, rest),
    ],
  };
};

const addGenerated: ChangeKind = (model, table, dice) => {
  const bases = table.columns.filter(({ role, generated }) => generated === null && ["plain", "unique"].includes(role));
  if (bases.length === 0) return null;
  const base = dice.pick(bases);
  const generated = generationOf(base);
  const type = isTextual(base.type) ? "text" : generated.how === "known" ? "boolean" : "numeric";
  const added = { name: freeName(table, "plain", dice), type, generated } as const;
  const step = addition(model, table, added, ` generated always as (${expressionOf(table, generated)}) stored`);
  const { id } = withAdded(model, table, added).column;
  const noted: OnCopies = {
    tableId: table.id,
    sql: (copy, names) => notedOther(copy, names, type, `(select l.${quoted(added.name)} ${liveRow(table, copy)})`),
    other: { id, type },
  };
  // What an expression cannot make of a row of the past is refused.
  return { steps: [{ ...step, onCopies: [...(step.onCopies ?? []), noted] }], excuse: "rewritten" };
};

export function generationOf({ id, type }: Column): NonNullable<Column["generated"]> {
  const isNumber = typeof type === "string" && /^(int|bigint|numeric)/.test(type);
  return { from: id, how: isTextual(type) ? "upper" : isNumber ? "double" : "known" };
}

/** For copies from before the column was there, what the last live row of the same key had is right as well. */
const dropExpression: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ generated }) => generated !== null);
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const { id, name, type } = column;
  const after = withTable(model, withColumn(table, { ...column, generated: null }));
  const sql = (target: string) => `alter table ${target} alter column ${quoted(name)} drop expression`;
  const noted: OnCopies = {
    tableId: table.id,
    sql: (copy, names) => notedOther(copy, names, sqlOf(type), `(select l.${quoted(name)} ${liveRow(table, copy)})`),
    unlessHad: id,
    other: { id, type },
  };
  const onCopies = [{ tableId: table.id, sql }, noted, unwitnessed(table, { id, type })];
  return { steps: [{ sql: sql(liveName(table)), onCopies, after }], isLearnedLate: true };
};

export const addedColumns = {
  "add nullable": addNullable,
  "add with default": addWithDefault({ nullable: true }),
  "add not null": addWithDefault({ nullable: false }),
  "add with default that is dropped": addWithDefault({ nullable: true, isDropped: true }),
  "add volatile": addVolatile,
  "drop and add": dropAndAdd,
  "add generated": addGenerated,
  "drop expression": dropExpression,
} satisfies Record<string, ChangeKind>;
