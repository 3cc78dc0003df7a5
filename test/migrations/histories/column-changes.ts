import { type Change, type ChangeKind, step } from "./change.js";
import {
  type Column,
  freeName,
  liveName,
  type Model,
  type Table,
  withColumn,
  withoutColumn,
  withTable,
} from "./model.js";
import { quoted } from "./quoted.js";

/** Renames one column after another, each to a name that is free by then. */
function renamed(model: Model, table: Table, renames: readonly (readonly [id: number, name: string])[]): Change {
  let [before, now] = [table, model];
  const steps = renames.map(([id, name]) => {
    const column = before.columns.find((other) => other.id === id) as Column;
    before = withColumn(before, { ...column, name });
    now = withTable(now, before);
    const sql = (target: string) => `alter table ${target} rename column ${quoted(column.name)} to ${quoted(name)}`;
    return step(table, liveName(table), now, sql);
  });
  return { steps };
}

/** Some columns take each other's names in a circle, by way of a name that no column has. */
function rotated(model: Model, table: Table, columns: readonly Column[]): Change | null {
  const [first, ...rest] = columns;
  if (first === undefined || rest.length === 0) return null;
  const hidden = columns.filter(({ role }) => role === "excluded").length;
  if (hidden > 0 && hidden < columns.length) return null;
  const moves = rest.map(({ id }, index) => [id, columns[index]?.name ?? ""] as const);
  const last = [first.id, columns.at(-1)?.name ?? ""] as const;
  const taken = new Set(table.columns.map(({ name }) => name));
  const free = ["t", "t2", "t3"].find((name) => !taken.has(name));
  return free === undefined ? null : renamed(model, table, [[first.id, free], ...moves, last]);
}

const rename: ChangeKind = (model, table, dice) => {
  const column = dice.pick(table.columns);
  return renamed(model, table, [[column.id, freeName(table, column.role, dice)]]);
};

const swapNames: ChangeKind = (model, table, dice) => rotated(model, table, dice.shuffled(table.columns).slice(0, 2));

const rotateNames: ChangeKind = (model, table, dice) =>
  table.columns.length < 3 ? null : rotated(model, table, dice.shuffled(table.columns).slice(0, 3));

const drop: ChangeKind = (model, table, dice) => {
  const droppable = table.columns.filter(({ role }) => role !== "key");
  if (droppable.length < 2) return null;
  const column = dice.pick(droppable);
  const after = withTable(model, withoutColumn(table, column));
  return {
    steps: [
      step(table, liveName(table), after, (target) => `alter table ${target} drop column ${quoted(column.name)}`),
    ],
  };
};

const setNotNull: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ role, nullable }) => nullable && role !== "excluded");
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const sql = `alter table ${liveName(table)} alter column ${quoted(column.name)} set not null`;
  return { steps: [{ sql, after: withTable(model, withColumn(table, { ...column, nullable: false })) }] };
};

const dropNotNull: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ role, nullable }) => !nullable && role !== "key");
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const sql = `alter table ${liveName(table)} alter column ${quoted(column.name)} drop not null`;
  return { steps: [{ sql, after: withTable(model, withColumn(table, { ...column, nullable: true })) }] };
};

const dropDefault: ChangeKind = (model, table, dice) => {
  const able = table.columns.filter(({ hasDefault, role }) => hasDefault && role !== "excluded");
  if (able.length === 0) return null;
  const column = dice.pick(able);
  const sql = `alter table ${liveName(table)} alter column ${quoted(column.name)} drop default`;
  return { steps: [{ sql, after: withTable(model, withColumn(table, { ...column, hasDefault: false })) }] };
};

export const columnChanges = {
  rename,
  "swap names": swapNames,
  "rotate names": rotateNames,
  drop,
  "set not null": setNotNull,
  "drop not null": dropNotNull,
  "drop default": dropDefault,
} satisfies Record<string, ChangeKind>;
