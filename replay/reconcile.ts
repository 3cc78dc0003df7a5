import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { checkOptions, type OptionsOf, section } from "../src/core/option-checker.js";
import { abortSignal, aFunction, names, trueOrFalse } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { withOwnSession } from "../src/core/session.js";
import type { RecordingProgress } from "../src/log/comparison.js";
import { refuseHiddenRows } from "../src/log/hidden-rows.js";
import { refuseTablesOfOthers } from "../src/log/ownership.js";
import { type EntityReference, someEntities } from "../src/log/tracked-tables.js";
import { type FoldTable, foldTables, refuseStale } from "./fold-table.js";
import type { RecordedCounts } from "./record-differences.js";
import { Recorder } from "./recorder.js";
import { Scope } from "./scope.js";

export interface ReconcileOptions {
  /** Only these entities, with the junction and closure tables that they own. (Default: all that are replayed) */
  readonly entities?: readonly EntityReference[] | undefined;
  /** Only these columns, as the database spells them, of records that are on both sides. (Default: all) */
  readonly columns?: readonly string[] | undefined;
  /** Count what would be recorded, and write nothing. (Default: false) */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  /** Stops between two batches; what was recorded stays, and the next call goes on. */
  readonly signal?: AbortSignal | undefined;
}

const reconcileOptions = section({
  entities: someEntities,
  columns: names,
  dryRun: trueOrFalse.byDefault(false),
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<ReconcileOptions>);

export type ReconcileReport = RecordedCounts;

/**
 * Makes the log what the tables say, the mirror of `replay()`: for each row that differs from the log, is missing in it
 * or is gone from its table, one event with origin "reconcile" in the caller's request context. For data that was
 * loaded with triggers off, a table that was restored, or a row that a superuser corrected. A record whose events
 * cannot be in their order gets a create with its whole row: the log is exact up to the fault and from there on. In
 * batches, beside running writers.
 *
 * @returns how many records were recorded as created, updated and destroyed.
 * @throws EventLogError OPTIONS_INVALID, NOT_TRACKED, NOT_OWNER, OTHER_OWNER, ROWS_HIDDEN, NOT_INSTALLED, INSTALL_STALE,
 * UNKNOWN_COLUMN, REPLAY_VERSION_UNHANDLED, REPLAY_OVERRIDE_FAILED, REPLAY_ABORTED.
 * @example
 * const actor = { type: "user", id: "ops" };
 * await withRequestContext({ actor }, () => log.reconcile({ entities: [Account] }));
 */
export async function reconcile(dataSource: DataSource, options: ReconcileOptions = {}): Promise<ReconcileReport> {
  const { entities, columns, dryRun, onProgress, signal } = checkOptions("reconcile", options, reconcileOptions);
  const work = withOwnSession(dataSource, async (session) => {
    const tables = await foldTables(session, dataSource, { allowStale: true, allowOthers: true });
    const scope = new Scope(dataSource, tables, { entities });
    refuseStale(scope.tables);
    await refuseTablesOfOthers(session, attachmentOf(dataSource).schema, scope.tables);
    await refuseHiddenRows(session, scope.tables);
    const recorder = new Recorder(session, dataSource, scope.every, {
      origin: "reconcile",
      dryRun,
      onProgress,
      signal,
    });
    for (const table of scope.tables) {
      await recorder.record(table, {
        columns: columnsOf(table, columns, scope.tables.length === 1),
        whole: columns === undefined,
        added: [],
        partitions: [],
        rekeyed: false,
        formerKey: null,
      });
    }
    return recorder.counts;
  });
  return asOwner(dataSource, work);
}

function columnsOf(
  table: FoldTable,
  columns: readonly string[] | undefined,
  isOnly: boolean,
): readonly string[] | undefined {
  const unknown = columns?.filter((name) => !table.columnNames.includes(name)) ?? [];
  if (isOnly && unknown.length > 0)
    throw new EventLogError(
      "UNKNOWN_COLUMN",
      `reconcile: ${table.tableName} does not have the column ${unknown.join(", ")}.`,
      {
        details: { entity: table.entity, columns: unknown },
      },
    );
  return columns;
}
