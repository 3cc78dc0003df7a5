import type { ChangeKind } from "./change.js";
import { liveName, type Model, type Table, withTable } from "./model.js";
import { quoted } from "./quoted.js";
import { createTable } from "./table-sql.js";

const names = [
  ["person", "people", "Human being"],
  ["line", "lines", "user"],
] as const;

export const firstNameOf = (id: 0 | 1): string => names[id][0];

const renameTable: ChangeKind = (model, table, dice) => {
  const name = dice.pick((names[table.id] ?? []).filter((other) => other !== table.name));
  const sql = `alter table ${liveName(table)} rename to ${quoted(name)}`;
  return { steps: [{ sql, after: withTable(model, { ...table, name }) }] };
};

const vacuumFull: ChangeKind = (model, table) => ({
  steps: [{ sql: `vacuum full ${liveName(table)}`, after: model }],
  isAlone: true,
});

/** Empty, its columns in another order, without the foreign keys to it. Copies stay: their columns are named alike. */
const makeAgain: ChangeKind = (model, table, dice) => {
  const columns = dice.shuffled(table.columns.map((column) => ({ ...column, hasDefault: false })));
  const again: Table = { ...table, columns };
  const after = withTable(withoutReferences(model, table), again);
  const sql = `drop table ${liveName(table)} cascade; ${createTable(model, again)}`;
  return { steps: [{ sql, after }], excuse: "made again", isLearnedLate: true, isAtomic: true };
};

function withoutReferences(model: Model, { id }: Table): Model {
  if (model.tables[0]?.id !== id) return model;
  const tables = model.tables.map((table) => ({
    ...table,
    columns: table.columns.map((column) =>
      column.role === "reference" ? { ...column, role: "plain" as const } : column,
    ),
  }));
  return { ...model, tables };
}

export const tableChanges = {
  "rename table": renameTable,
  "vacuum full": vacuumFull,
  "make a table again": makeAgain,
} satisfies Record<string, ChangeKind>;
