import { EventLogError } from "../src/core/errors.js";
import type { Cut } from "../src/log/cut.js";
import type { FoldTable } from "./fold-table.js";

/**
 * A table that was made again has its columns of before by name alone. If names went and others came meanwhile, nobody
 * can tell which of them is which.
 * Throws POINT_IN_TIME_UNKNOWN for a point before that.
 */
export function refuseUnknownShapes(tables: readonly FoldTable[], cut: Cut): void {
  for (const { entity, history } of tables) {
    const unknown = history?.changes.findLast(
      ({ remade, report, position }) =>
        remade && position > cut.position && report.dropped.length > 0 && report.added.length > 0,
    );
    if (unknown === undefined) continue;
    throw new EventLogError(
      "POINT_IN_TIME_UNKNOWN",
      `The table of ${entity} was made again, with other columns, before position ${unknown.position}: ` +
        "which of them were which before is not known.",
      {
        hint: `Ask for position ${unknown.position}n or later.`,
        details: { entity, position: unknown.position },
      },
    );
  }
}
