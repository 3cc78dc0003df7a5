import type { ColumnType } from "./column-types.js";
import type { Dice } from "./dice.js";
import type { Model, Table } from "./model.js";

/** What a statement does to the saved copies of one table. */
export interface OnCopies {
  readonly tableId: number;
  readonly sql: (copy: string, other: Names) => string;
  /** If the rows of a copy do not allow it: the column whose old values are lost, and how the copy goes on. */
  readonly otherwise?: { readonly sql: (copy: string) => string; readonly lost: number; readonly column: string };
  /** Only of copies that had not this column when they were taken. */
  readonly unlessHad?: number;
  /** Another value that is right as well, which the SQL puts under its names. */
  readonly other?: Other;
  /** The same change for other values of the column; those that do not allow it are of no use any more. */
  readonly others?: {
    readonly id: number;
    readonly type: ColumnType;
    /** Of texts that values had, instead. (Default: false) */
    readonly areTexts?: boolean;
    readonly sql: (copy: string, name: string) => string;
  };
}

/** Columns of a copy: another value, and whether the row has one. */
export interface Names {
  readonly value: string;
  readonly is: string;
}

export interface Other {
  readonly id: number;
  readonly type: ColumnType;
  /** The text that the value had, which a later type may take again. */
  readonly isText?: boolean;
  /** The same, and nothing else is right. */
  readonly isLost?: boolean;
  /** Right only if the table is rewritten before the next install: nobody can read then what ADD COLUMN gave. */
  readonly onceRewritten?: boolean;
  /** Only of a column that came after the last install. */
  readonly ifAdded?: boolean;
  /** Until the next install: right for every row once its records have other keys, or it is another table. */
  readonly isOfWindow?: boolean;
}

/** SQL that gives a copy `c` another value of a column, in the rows for which a condition holds. */
export function notedOther(copy: string, { value, is }: Names, type: string, sql: string, condition = "true"): string {
  return `alter table ${copy} add column ${value} ${type}, add column ${is} boolean;
    update ${copy} c set ${value} = ${sql}, ${is} = ${condition}`;
}

export interface ChangeStep {
  readonly sql: string;
  readonly onCopies?: readonly OnCopies[];
  readonly after: Model;
}

/**
 * Why a point before the change may be refused: values were rewritten by an expression or an enum made again, so that
 * what the log holds might not cast; or the table is another one; or the point lies between a change of the records' keys
 * and the install that follows.
 */
export type Excuse = "rewritten" | "made again" | "rekeyed";

/** A migration: one DDL statement, or several that belong together. */
export interface Change {
  readonly steps: readonly ChangeStep[];
  readonly excuse?: Excuse;
  /** The log learns only from the next install what the rows are after it: until then no moment is noted. */
  readonly isLearnedLate?: boolean;
  /** All steps or none, and no writes between them. (Default: each can be its own transaction) */
  readonly isAtomic?: boolean;
  /** Refused within a transaction. */
  readonly isAlone?: boolean;
}

/** Draws a change of a table; null if the table has nothing that it could change. */
export type ChangeKind = (model: Model, table: Table, dice: Dice) => Change | null;

/** The same statement for the table and its copies. */
export function step(
  { id }: Table,
  live: string,
  after: Model,
  rest: (target: string) => string,
  more: Pick<OnCopies, "otherwise" | "others"> = {},
): ChangeStep {
  return { sql: rest(live), onCopies: [{ tableId: id, sql: rest, ...more }], after };
}
