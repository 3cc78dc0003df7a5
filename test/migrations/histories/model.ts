import type { ColumnType, EnumType } from "./column-types.js";
import type { Dice } from "./dice.js";
import { quoted } from "./quoted.js";

export type Role = "plain" | "key" | "sensitive" | "excluded" | "tenant" | "unique" | "reference";

export interface Column {
  /** Stays through renames and changes of type; another column under the same name has another. */
  readonly id: number;
  readonly name: string;
  readonly type: ColumnType;
  readonly role: Role;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  /** What it is computed from. (null: an ordinary column) */
  readonly generated: { readonly from: number; readonly how: "upper" | "double" | "known" } | null;
}

export interface Partition {
  readonly name: string;
  /** Keys from here to 100 above. */
  readonly from: number;
  readonly attached: boolean;
  /** Whether the last install saw it: of one that comes and goes before the next, the log knows nothing. */
  readonly known?: boolean;
}

export interface Table {
  readonly id: number;
  readonly name: string;
  readonly entity: string;
  readonly columns: readonly Column[];
  /** Names that columns had before. */
  readonly formerNames: readonly string[];
  /** Names under which the install before knew columns that are excluded: another column under one is not recorded. */
  readonly hiddenNames: readonly string[];
  readonly partitions: readonly Partition[] | null;
  readonly hasRowTrigger: boolean;
}

/** The schema as it is at one moment of a history. Never changed in place. */
export interface Model {
  readonly tables: readonly Table[];
  readonly enums: readonly EnumType[];
  /** For the next column, table, partition or label. */
  readonly nextId: number;
}

export const liveName = ({ name }: Table): string => `public.${quoted(name)}`;
export const keysOf = ({ columns }: Table): Column[] => columns.filter(({ role }) => role === "key");

export function expressionOf({ columns }: Table, generated: NonNullable<Column["generated"]>): string {
  const base = quoted(columns.find(({ id }) => id === generated.from)?.name ?? "");
  return { upper: `upper(${base})`, double: `${base} * 2`, known: `${base} is not null` }[generated.how];
}

export function withTable(model: Model, table: Table): Model {
  return { ...model, tables: model.tables.map((other) => (other.id === table.id ? table : other)) };
}

/** The column with other properties; a name it had before is kept in mind. */
export function withColumn(table: Table, column: Column): Table {
  const before = table.columns.find(({ id }) => id === column.id);
  const formerNames =
    before === undefined || before.name === column.name ? table.formerNames : [...table.formerNames, before.name];
  const columns = table.columns.map((other) => (other.id === column.id ? column : other));
  return { ...table, formerNames, columns };
}

export function withoutColumn(table: Table, { id, name }: Column): Table {
  const columns = table.columns.filter((other) => other.id !== id);
  return { ...table, formerNames: [...table.formerNames, name], columns };
}

/** What an install makes of it: capture knows the names of today. */
export function installed(model: Model): Model {
  const tables = model.tables.map((table) => ({
    ...table,
    partitions: table.partitions?.map((partition) => ({ ...partition, known: partition.attached })) ?? null,
    hiddenNames: table.columns.filter(({ role }) => role === "excluded").map(({ name }) => name),
  }));
  const enums = model.enums.map((one) => ({ ...one, touched: undefined }));
  return { ...model, tables, enums };
}

/** Whether a table's keys have another type than before, or other labels. */
export function hasOtherKeys(before: Model, now: Model): boolean {
  const typesOf = ({ tables, enums }: Model) =>
    tables.map((table) =>
      keysOf(table).map(({ type }) =>
        typeof type === "string" ? type : enums.find(({ name }) => name === type.enumName)?.labels,
      ),
    );
  return JSON.stringify(typesOf(before)) !== JSON.stringify(typesOf(now));
}

/**
 * Whether labels of a table's key have other names: then all of its records end, whichever labels its rows have. Those of
 * a type that was made again are other labels, not other names.
 */
export function hasOtherLabels(before: Model, now: Model, table: Table): boolean {
  const labelsOf = ({ enums }: Model) =>
    keysOf(table).map(
      ({ type }) => typeof type !== "string" && enums.find(({ name }) => name === type.enumName)?.labels,
    );
  const isMadeAgain = ({ type }: Column) =>
    typeof type !== "string" && now.enums.find(({ name }) => name === type.enumName)?.touched === "made again";
  return !keysOf(table).some(isMadeAgain) && JSON.stringify(labelsOf(before)) !== JSON.stringify(labelsOf(now));
}

const names = ["a", "b", "c", "d", "name", "plan", "camelCase", "user", "x y", "data", "position"];

/** A name that no column has; more often than not one that another had before. */
export function freeName(table: Table, role: Role, dice: Dice): string {
  const taken = new Set(table.columns.map(({ name }) => name));
  if (role !== "excluded") for (const name of table.hiddenNames) taken.add(name);
  const former = table.formerNames.filter((name) => !taken.has(name));
  if (former.length > 0 && dice.chance(0.6)) return dice.pick(former);
  const free = names.filter((name) => !taken.has(name));
  return free.length > 0 ? dice.pick(free) : `column_${table.columns.length}`;
}
