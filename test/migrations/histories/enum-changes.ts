import type { ChangeKind, ChangeStep, OnCopies } from "./change.js";
import { type EnumType, sqlOf } from "./column-types.js";
import { type Column, liveName, type Model, type Table } from "./model.js";
import { literal, quoted } from "./quoted.js";
import { retyped } from "./retypes.js";

export const labels = ["a", "b", "c", "new", "in work", "Done"] as const;

const withLabels = (
  model: Model,
  { name }: EnumType,
  labels: readonly string[],
  touched: "relabelled" | "made again",
): Model => ({
  ...model,
  enums: model.enums.map((other) => (other.name === name ? { name, labels, touched } : other)),
});

const notYet = (model: Model, unless: EnumType["touched"]): EnumType[] =>
  model.enums.filter(({ touched }) => touched === undefined || touched !== unless);

const columnsOf = (model: Model, { name }: EnumType): { table: Table; column: Column }[] =>
  model.tables.flatMap((table) =>
    table.columns
      .filter(({ type }) => typeof type !== "string" && type.enumName === name)
      .map((column) => ({ table, column })),
  );

/** Copies have the same type, so that they follow by themselves; not so the texts of values that an older type had. */
function relabelled(model: Model, of: EnumType, renames: readonly (readonly [string, string])[]): ChangeStep[] {
  let now = of.labels;
  return renames.map(([from, to]) => {
    now = now.map((label) => (label === from ? to : label));
    const sql = `alter type ${quoted(of.name)} rename value ${literal(from)} to ${literal(to)}`;
    const onCopies = columnsOf(model, of).map(({ table, column }) => lostTexts(table, column, from, to));
    return { sql, onCopies, after: withLabels(model, of, now, "relabelled") };
  });
}

function lostTexts({ id: tableId }: Table, { id, type }: Column, from: string, to: string): OnCopies {
  const [old, label] = [from, to].map(literal);
  const relabel = (text: string) =>
    typeof type !== "string" && type.isArray
      ? `array_replace(${text}::text[], ${old}, ${label})::text`
      : `case ${text} when ${old} then ${label} else ${text} end`;
  const sql = (copy: string, text: string) => `update ${copy} set ${text} = ${relabel(text)}`;
  return { tableId, sql: () => "select", others: { id, type: "text", areTexts: true, sql } };
}

const renameLabel: ChangeKind = (model, _table, dice) => {
  const able = notYet(model, "made again");
  if (able.length === 0) return null;
  const of = dice.pick(able);
  const free = labels.filter((label) => !of.labels.includes(label));
  return { steps: relabelled(model, of, [[dice.pick(of.labels), dice.pick(free)]]) };
};

const swapLabels: ChangeKind = (model, _table, dice) => {
  const able = notYet(model, "made again");
  if (able.length === 0) return null;
  const of = dice.pick(able);
  const [one = "", other = ""] = dice.shuffled(of.labels);
  const steps = relabelled(model, of, [
    [one, "t"],
    [other, one],
    ["t", other],
  ]);
  return { steps };
};

/** As TypeORM does it: a label goes after the rows that had it got another one, and one comes. */
const remake: ChangeKind = (model, _table, dice) => {
  const able = notYet(model, "relabelled");
  if (able.length === 0) return null;
  const of = dice.pick(able);
  const [gone = "", kept = ""] = dice.shuffled(of.labels);
  const free = labels.filter((label) => !of.labels.includes(label));
  const now = [...of.labels.filter((label) => label !== gone), dice.pick(free)];
  const old = quoted(`${of.name}_old`);
  const uses = columnsOf(model, of);
  const steps: ChangeStep[] = uses.flatMap(({ table, column: { name, type, generated } }) => {
    if (generated !== null || typeof type === "string") return [];
    const [from, to] = [gone, kept].map((label) => `${literal(label)}::${quoted(of.name)}`);
    const [set, where] = type.isArray
      ? [`array_replace(${quoted(name)}, ${from}, ${to})`, `${from} = any (${quoted(name)})`]
      : [to, `${quoted(name)} = ${from}`];
    return [{ sql: `update ${liveName(table)} set ${quoted(name)} = ${set} where ${where}`, after: model }];
  });
  const after = withLabels(model, of, now, "made again");
  steps.push({ sql: `alter type ${quoted(of.name)} rename to ${old}`, after: model });
  steps.push({ sql: `create type ${quoted(of.name)} as enum (${now.map(literal).join(", ")})`, after: model });
  for (const { table, column } of uses) {
    const name = quoted(column.name);
    if (column.hasDefault)
      steps.push({ sql: `alter table ${liveName(table)} alter column ${name} drop default`, after: model });
    const using = `${name}::text::${sqlOf(column.type)}`;
    steps.push({ ...retyped(model, table, { column, type: column.type, using }), after });
  }
  steps.push({ sql: `drop type ${old}`, after: withoutDefaults(after, uses) });
  return { steps, excuse: "rewritten", isLearnedLate: true, isAtomic: true };
};

function withoutDefaults(model: Model, uses: readonly { column: Column }[]): Model {
  const ids = new Set(uses.map(({ column }) => column.id));
  const tables = model.tables.map((table) => ({
    ...table,
    columns: table.columns.map((column) => (ids.has(column.id) ? { ...column, hasDefault: false } : column)),
  }));
  return { ...model, tables };
}

export const enumChanges = {
  "rename a label": renameLabel,
  "swap labels": swapLabels,
  "make an enum again": remake,
} satisfies Record<string, ChangeKind>;
