import type { ColumnOptions } from "typeorm";
import type { Capture, TrackedOptions } from "../../src/index.js";

/** A row as `to_jsonb` gives it, by column. */
export type Row = Readonly<Record<string, unknown>>;
export type Columns = Readonly<Record<string, ColumnOptions>>;

/** An entity as one release of an application has it. Every `$t` in a name stands for the table. */
export interface Shape {
  readonly columns: Columns;
  /** (Default: `id`, an integer) */
  readonly key?: Columns;
  /** `false`: the entity is not tracked. (Default: tracked, under the table's name) */
  readonly tracked?: TrackedOptions | false;
  readonly sensitive?: readonly string[];
  /** The property with `@DeleteDateColumn`. (Default: none) */
  readonly deleteDate?: string;
  /** (Default: `$t`) */
  readonly table?: string;
  /** (Default: public) */
  readonly schema?: string;
}

/** What the log must say of a time before the migration, in today's shape. */
export type Past =
  | readonly Row[]
  /** By the rows that the table had right after the DDL, and by who captured. */
  | ((after: readonly Row[], capture: Capture) => readonly Row[])
  /** A typed error, since a stored value has no place in today's shape. */
  | "refused";

/** One kind of migration: everything that a test of it needs. */
export interface Kind {
  readonly name: string;
  readonly before: Shape;
  readonly after: Shape;
  /** SQL that makes the table, if TypeORM does not make such tables. (Default: TypeORM's synchronize) */
  readonly create?: readonly string[];
  /** The statements of the migration. */
  readonly migration: readonly string[];
  /** Three rows of the old shape. Later the first takes the second's values and the third is deleted. */
  readonly rows: readonly [Row, Row, Row];
  /** What the first row is changed to, in the old shape. (Default: the values of the second row) */
  readonly edit?: Row;
  /** Nothing is written between the bookmark and the migration. (Default: the edit and the deletion are) */
  readonly isQuiet?: boolean;
  readonly past: Past;
  /** The past may also be refused with a typed error. (Default: false) */
  readonly mayRefuse?: boolean;
  /** The past does not fit into the live table, which demands what nobody knew then. (Default: it fits) */
  readonly doesNotFit?: boolean;
  /**
   * Columns whose first values only rows tell. The subscriber records what a row holds when it is written, so of one that is written between the
   * DDL and the install it cannot know them. (Default: none)
   */
  readonly unseenFills?: readonly string[];
  /** Two new rows of the new shape. */
  readonly fresh: readonly [Row, Row];
  /** The rows of the old shape under their keys of today. (Default: their own) */
  readonly keyAfter?: (row: Row) => Row;
  /** Whether calls that fold must say INSTALL_STALE before the install; else they may also work. (Default: true) */
  readonly isStale?: boolean;
}

/** When rows are written: each is a table of its own, in one database. */
export interface Situation {
  readonly name: string;
  readonly table: string;
  readonly rowsBefore: boolean;
  readonly writesBetween: boolean;
  readonly writesAfter: boolean;
}

const no = { rowsBefore: false, writesBetween: false, writesAfter: false };
export const situations: readonly Situation[] = [
  { ...no, name: "a table without rows, and its first", table: "empty", writesAfter: true },
  { ...no, name: "rows from before", table: "old", rowsBefore: true },
  { ...no, name: "writes before the install", table: "mid", rowsBefore: true, writesBetween: true },
  {
    name: "writes before and after the install",
    table: "all_of_it",
    rowsBefore: true,
    writesBetween: true,
    writesAfter: true,
  },
];

/** `$t` becomes the table's name. */
export const forTable = (text: string, table: string): string => text.replaceAll("$t", table);

export const text: ColumnOptions = { type: "text", nullable: true };
export const int: ColumnOptions = { type: "int", nullable: true };
const id: Columns = { id: { type: "int" } };

export const keyOf = (shape: Shape): Columns => shape.key ?? id;

/** The row without the columns of the key. */
export function withoutKey(row: Row, shape: Shape): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !Object.hasOwn(keyOf(shape), name)));
}

/** The columns of the key alone. */
export function keyIn(row: Row, shape: Shape): Row {
  return Object.fromEntries(Object.keys(keyOf(shape)).map((name) => [name, row[name]]));
}
