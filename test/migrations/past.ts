import { isTyped } from "./attempt.js";
import type { Kind, Row, Situation } from "./kind.js";
import type { Migrated } from "./migrated.js";

/** The rows of a table at the bookmark, in today's shape; undefined: asking for them is refused. */
export type PastRows = readonly Row[] | undefined;

export function pastOf(
  { kind, capture }: Migrated,
  { rowsBefore, writesBetween }: Situation,
  afterDdl: readonly Row[],
): PastRows {
  if (!rowsBefore) return [];
  if (kind.past === "refused") return undefined;
  const past = typeof kind.past === "function" ? kind.past(afterDdl, capture) : kind.past;
  if (capture === "trigger" || !writesBetween) return past;
  const unseen = Object.fromEntries((kind.unseenFills ?? []).map((name) => [name, null]));
  return past.map((row) => (row["id"] === kind.rows[1]["id"] ? { ...row, ...unseen } : row));
}

/** Whether an error is right, since the past has no place in today's shape. */
export function isRightRefusal(kind: Kind, error: unknown): boolean {
  return (kind.past === "refused" || kind.mayRefuse === true) && isTyped(error);
}

/** The row of a record. */
export function rowOf(rows: readonly Row[] = [], id: Row): Row | undefined {
  return rows.find((row) => Object.entries(id).every(([name, value]) => row[name] === value));
}
