import type { ColumnType } from "./column-types.js";
import type { Dice } from "./dice.js";
import type { Model, Table } from "./model.js";

/** What a statement does to the saved copies of one table. */
export interface OnCopies {
  readonly tableId: number;
  readonly sql: (copy: string) => string;
  /** If the rows of a copy do not allow it: the column whose old values are lost, and how the copy goes on. */
  readonly otherwise?: { readonly sql: (copy: string) => string; readonly lost: number };
  /** Only of copies that had not this column when they were taken. */
  readonly unlessHad?: number;
  /** A generated column of which other values are right as well, once it is ordinary: those of otherName. */
  readonly other?: Other;
}

export interface Other {
  readonly id: number;
  /** Of the other values; once the column has another, they are of no use. */
  readonly type: ColumnType;
}

export const otherName = (columnId: number): string => `other_${columnId}`;

export interface ChangeStep {
  readonly sql: string;
  readonly onCopies?: readonly OnCopies[];
  readonly after: Model;
}

/**
 * Why a point before the change may be refused: values were rewritten by an expression or an enum made again, so that
 * what the log holds might not cast; or the table is another one.
 */
export type Excuse = "rewritten" | "made again";

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
  more: Pick<OnCopies, "otherwise"> = {},
): ChangeStep {
  return { sql: rest(live), onCopies: [{ tableId: id, sql: rest, ...more }], after };
}
