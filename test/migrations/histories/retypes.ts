import { type Change, type ChangeKind, otherName, step } from "./change.js";
import { type ColumnType, isTextual, type Scalar, sqlOf } from "./column-types.js";
import { type Column, liveName, type Model, type Table, withColumn, withTable } from "./model.js";
import { quoted } from "./quoted.js";

/** Where ALTER TYPE needs no USING. */
const plainly: Readonly<Record<Scalar, readonly Scalar[]>> = {
  int: ["bigint", "numeric", "numeric(8,1)", "text"],
  bigint: ["int", "numeric", "text"],
  text: ["varchar(9)", "varchar(3)"],
  "varchar(3)": ["varchar(9)", "text"],
  "varchar(9)": ["varchar(3)", "text"],
  numeric: ["numeric(8,1)", "numeric(12,3)", "int", "text"],
  "numeric(8,1)": ["numeric(12,3)", "numeric", "text"],
  "numeric(12,3)": ["numeric(8,1)", "numeric"],
  timestamp: ["timestamptz", "text"],
  timestamptz: ["timestamp", "text"],
  json: ["jsonb", "text"],
  jsonb: ["json", "text"],
  uuid: ["text"],
  boolean: ["text"],
};

/** Expressions to another type, `c` being the column. */
function expressionsFor(type: ColumnType): readonly (readonly [Scalar, string])[] {
  if (typeof type !== "string") return [["text", "upper(c::text)"]];
  if (isTextual(type))
    return [
      ["int", "length(c)"],
      ["bigint", "nullif(regexp_replace(c, '[^0-9]', '', 'g'), '')::bigint"],
      ["numeric", "c::numeric"],
      ["jsonb", "to_jsonb(c)"],
    ];
  if (type === "timestamp") return [["timestamptz", "c at time zone 'Europe/Berlin'"]];
  if (type === "timestamptz") return [["timestamp", "c at time zone 'Europe/Berlin'"]];
  if (type === "json" || type === "jsonb") return [["text", "c #>> '{a}'"]];
  if (type === "boolean") return [["int", "c::int"]];
  if (type === "uuid") return [["text", "upper(c::text)"]];
  return [
    ["text", "'n' || c"],
    ["boolean", "c > 5"],
    ["int", "trunc(c / 2)::int"],
  ];
}

/** Expressions that keep the type. */
function rewritesOf(type: ColumnType): readonly string[] {
  if (typeof type !== "string") return [];
  if (isTextual(type)) return ["upper(c)", "reverse(c)"];
  if (/^(int|bigint|numeric)/.test(type)) return [`(c + 100)::${type}`];
  if (type.startsWith("timestamp")) return ["c + interval '1 day'"];
  if (type === "jsonb") return ["jsonb_build_object('was', c)"];
  if (type === "boolean") return ["not c"];
  return [];
}

export interface Retype {
  readonly column: Column;
  readonly type: ColumnType;
  readonly using?: string | undefined;
}

export function retyped(model: Model, table: Table, { column, type, using }: Retype): Change["steps"][number] {
  const alter = (target: string) => `alter table ${target} alter column ${quoted(column.name)} type ${sqlOf(type)}`;
  return step(
    table,
    liveName(table),
    withTable(model, withColumn(table, { ...column, type })),
    (target) => alter(target) + (using === undefined ? "" : ` using ${using}`),
    { otherwise: { sql: (copy) => `${alter(copy)} using null`, lost: column.id } },
  );
}

/** The expression with the column's name in place of `c`. */
const of = ({ name }: Column, expression: string) => expression.replace(/\bc\b/g, () => quoted(name));

const retype: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ generated }) => generated === null);
  const column = dice.pick(able);
  const type = typeof column.type === "string" ? dice.pick(plainly[column.type]) : "text";
  return { steps: [retyped(model, table, { column, type })] };
};

const retypeUsing: ChangeKind = (model, table, dice) => {
  const column = dice.pick(table.columns.filter(({ generated }) => generated === null));
  const [type, expression] = dice.pick(expressionsFor(column.type));
  const steps = [retyped(model, table, { column, type, using: of(column, expression) })];
  return { steps, excuse: "rewritten", isLearnedLate: true };
};

const sameTypeUsing: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ generated, type }) => generated === null && rewritesOf(type).length > 0);
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const using = of(column, dice.pick(rewritesOf(column.type)));
  return {
    steps: [withRaw(retyped(model, table, { column, type: column.type, using }), table, column)],
    excuse: "rewritten",
    isLearnedLate: true,
  };
};

/** The log shows what a value was, as after any update, unless the DDL gave the record its first one: both are right. */
function withRaw(change: Change["steps"][number], { id: tableId }: Table, { id, name, type }: Column) {
  const note = (copy: string) => `alter table ${copy} add column if not exists ${otherName(id)} ${sqlOf(type)};
    update ${copy} set ${otherName(id)} = ${quoted(name)} where ${otherName(id)} is null`;
  return { ...change, onCopies: [{ tableId, sql: note, other: { id, type } }, ...(change.onCopies ?? [])] };
}

export const retypes = {
  retype,
  "retype using": retypeUsing,
  "same type using": sameTypeUsing,
} satisfies Record<string, ChangeKind>;
