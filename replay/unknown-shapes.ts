import { EventLogError } from "../src/core/errors.js";
import type { Cut } from "../src/log/cut.js";
import type { FoldTable } from "./fold-table.js";

/**
 * Throws POINT_IN_TIME_UNKNOWN for a point of which a schema change leaves open what the tables held.
 */
export function refuseUnknownPast(tables: readonly FoldTable[], cut: Cut): void {
  for (const table of tables) {
    refuseUnknownShapes(table, cut);
    refuseUnknownKeys(table, cut);
  }
}

/**
 * A table that was made again has its columns of before by name alone. If names went and others came meanwhile, nobody
 * can tell which of them is which.
 */
function refuseUnknownShapes({ entity, history }: FoldTable, cut: Cut): void {
  const unknown = history?.changes.findLast(
    ({ remade, report, position }) =>
      remade && position > cut.position && report.dropped.length > 0 && report.added.length > 0,
  );
  if (unknown === undefined) return;
  const { position } = unknown;
  throw new EventLogError(
    "POINT_IN_TIME_UNKNOWN",
    `The table of ${entity} was made again, with other columns, before position ${position}: ` +
      "which of them were which before is not known.",
    { hint: `Ask for position ${position}n or later.`, details: { entity, position } },
  );
}

/**
 * Between a migration that gives records other keys and the install that finds which became which, events are of
 * records under the new keys that began under the old ones.
 */
function refuseUnknownKeys({ entity, history }: FoldTable, cut: Cut): void {
  for (const { rekeyedFrom, position } of history?.changes ?? []) {
    if (rekeyedFrom === null || cut.position < rekeyedFrom || cut.position >= position) continue;
    throw new EventLogError(
      "POINT_IN_TIME_UNKNOWN",
      `A migration gave the records of ${entity} other keys. Which became which, the log knows from ` +
        `position ${position} on, where install() found it.`,
      {
        hint: `Ask for position ${position}n or later, or for ${rekeyedFrom - 1n}n or earlier.`,
        details: { entity, position },
      },
    );
  }
}
