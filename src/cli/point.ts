import type { PointInTime } from "../index.js";

/** How a point in time is written at the command line; part of the help of each command that takes one. */
export const pointHelp = `A point in time is
  2026-05-01T12:00:00Z    a time, ISO 8601 with an offset
  123n                    a position, inclusive
  "bookmark:before import"  a bookmark, by its name`;

const position = /^(\d+)n$/;
const bookmark = /^bookmark:(.+)$/s;

/** What is no position and no bookmark is taken for a time, which the log checks. */
export function pointOf(text: string): PointInTime {
  const [, digits] = position.exec(text) ?? [];
  if (digits !== undefined) return BigInt(digits);
  const [, name] = bookmark.exec(text) ?? [];
  return name === undefined ? text : { bookmark: name };
}
