import { type Change, type ChangeKind, notedOther, type OnCopies, step } from "./change.js";
import { type ColumnType, isTextual, type Scalar, sqlOf } from "./column-types.js";
import { type Column, liveName, type Model, type Table, withColumn, withTable } from "./model.js";
import { liveRow } from "./lives.js";
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
  /** Other values stay as they are: they are what the log holds, and the type stays. (Default: false) */
  readonly keepsOthers?: boolean;
}

export function retyped(
  model: Model,
  table: Table,
  { column, type, using, keepsOthers = false }: Retype,
): Change["steps"][number] {
  const { id, name, role } = column;
  const alter = (target: string, of = quoted(name)) => `alter table ${target} alter column ${of} type ${sqlOf(type)}`;
  const expression = (of: string) => using?.replaceAll(quoted(name), () => of) ?? `${of}::${sqlOf(type)}`;
  // A key is a cast of what it was, and what nobody knows stays unknown.
  const ofOther = (of: string) => (role === "key" ? `${of}::${sqlOf(type)}` : expression(of));
  const change = step(
    table,
    liveName(table),
    withTable(model, withColumn(table, { ...column, type })),
    (target) => alter(target) + (using === undefined ? "" : ` using ${expression(quoted(name))}`),
    {
      otherwise: { sql: (copy) => `${alter(copy)} using null`, lost: id, column: name },
      ...(!keepsOthers && {
        others: {
          id,
          type,
          sql: (copy: string, of: string) =>
            `${alter(copy, of)} using case when ${of} is not null then ${ofOther(of)} end`,
        },
      }),
    },
  );
  // What a column held between its coming and its change of type is in no shape that an install knew.
  const between: OnCopies = {
    tableId: table.id,
    sql: (copy, names) => notedOther(copy, names, sqlOf(type), "null"),
    other: { id, type, ifAdded: true },
  };
  return { ...change, onCopies: [...(change.onCopies ?? []), between] };
}

/** The expression with the column's name in place of `c`. */
const of = ({ name }: Column, expression: string) => expression.replace(/\bc\b/g, () => quoted(name));

/** If labels were renamed in the same window, nobody can tell whether the text that a label became is from before. */
const ableToRetype = ({ enums }: Model, { columns }: Table): Column[] =>
  columns.filter(
    ({ generated, type }) =>
      generated === null &&
      (typeof type === "string" || enums.find(({ name }) => name === type.enumName)?.touched !== "relabelled"),
  );

const retype: ChangeKind = (model, table, dice) => {
  const able = ableToRetype(model, table);
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const type = typeof column.type === "string" ? dice.pick(plainly[column.type]) : "text";
  // Keys with other digits under the same type: capture cannot tell them from those before.
  const isLearnedLate = column.role === "key" && [column.type, type].every((of) => sqlOf(of).startsWith("numeric"));
  // As text, a list or a time is written otherwise than in the log: of a value that no row has any more it is not known.
  const losesForm = type === "text" && /\[\]$|^timestamp/.test(sqlOf(column.type));
  // A number that is rounded cannot be told from one that an expression made.
  const rounds = type === "int" && sqlOf(column.type).startsWith("numeric");
  const steps = [retyped(model, table, { column, type })];
  return { steps, isLearnedLate, ...((losesForm || rounds) && { excuse: "rewritten" }) };
};

const retypeUsing: ChangeKind = (model, table, dice) => {
  const able = ableToRetype(model, table);
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const [type, expression] = dice.pick(expressionsFor(column.type));
  const keepsOthers = sqlOf(type) === sqlOf(column.type);
  const change = retyped(model, table, { column, type, using: of(column, expression), keepsOthers });
  if (keepsOthers) return { steps: [withRaw(change, table, column)], excuse: "rewritten", isLearnedLate: true };
  const steps = [
    {
      ...change,
      onCopies: [
        castOnly(table, { column, type, using: of(column, expression) }),
        ...(column.role === "key" ? [textOf(table, column)] : []),
        ...(change.onCopies ?? []),
      ],
    },
  ];
  return { steps, excuse: "rewritten", isLearnedLate: true };
};

const sameTypeUsing: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ generated, type }) => generated === null && rewritesOf(type).length > 0);
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const using = of(column, dice.pick(rewritesOf(column.type)));
  return {
    steps: [withRaw(retyped(model, table, { column, type: column.type, using, keepsOthers: true }), table, column)],
    excuse: "rewritten",
    isLearnedLate: true,
  };
};

/**
 * What the expression makes of a value that its row does not have any more, nobody saw: a cast of it is as right. So it
 * is if the row goes without an event before the next install, and for a key, which makes every record another one.
 */
function castOnly(table: Table, { column: { id, name, role }, type, using = "" }: Retype): OnCopies {
  const own = `c.${quoted(name)}`;
  const made = using.replaceAll(quoted(name), () => own);
  const seen = (copy: string) => `exists (
    select ${liveRow(table, copy)} and l.${quoted(name)}::text is not distinct from (${made})::text)`;
  return {
    tableId: table.id,
    sql: (copy, names) =>
      notedOther(copy, names, sqlOf(type), `${own}::${sqlOf(type)}`, role === "key" ? "true" : `not ${seen(copy)}`),
    other: { id, type, isOfWindow: true },
  };
}

/** No expression makes another record: a key is what it was, in whichever type takes it. */
function textOf({ id: tableId }: Table, { id, name }: Column): OnCopies {
  return {
    tableId,
    sql: (copy, names) => notedOther(copy, names, "text", `c.${quoted(name)}::text`),
    other: { id, type: "text", isText: true },
  };
}

/** The log shows what a value was, as after any update, unless the DDL gave the record its first one: both are right. */
function withRaw(change: Change["steps"][number], { id: tableId }: Table, { id, name, type }: Column) {
  const noted: OnCopies = {
    tableId,
    sql: (copy, names) => notedOther(copy, names, sqlOf(type), quoted(name)),
    other: { id, type },
  };
  return { ...change, onCopies: [noted, ...(change.onCopies ?? [])] };
}

export const retypes = {
  retype,
  "retype using": retypeUsing,
  "same type using": sameTypeUsing,
} satisfies Record<string, ChangeKind>;
