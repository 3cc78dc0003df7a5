import type { DataSource } from "typeorm";
import { EventLogError } from "../src/core/errors.js";
import { refuseUnknownOptions } from "../src/core/options.js";
import { asOwner } from "../src/core/rights.js";
import { withOwnSession } from "../src/core/session.js";
import type { RecordingProgress } from "../src/log/comparison.js";
import type { EntityReference } from "../src/log/tracked-tables.js";
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

export type ReconcileReport = RecordedCounts;

/**
 * Makes the log what the tables say, the mirror of `replay()`: for each row that differs from the log, is missing in it
 * or is gone from its table, one event with origin "reconcile" in the caller's request context. For data that was
 * loaded with triggers off, a table that was restored, or a row that a superuser corrected. A record whose events
 * cannot be in their order gets a create with its whole row: the log is exact up to the fault and from there on. In
 * batches, beside running writers.
 *
 * @returns how many records were recorded as created, updated and destroyed.
 * @throws EventLogError OPTIONS_INVALID, NOT_TRACKED, NOT_OWNER, NOT_INSTALLED, INSTALL_STALE, UNKNOWN_COLUMN,
 * REPLAY_VERSION_UNHANDLED, REPLAY_OVERRIDE_FAILED, REPLAY_ABORTED.
 * @example
 * const actor = { type: "user", id: "ops" };
 * await withRequestContext({ actor }, () => log.reconcile({ entities: [Account] }));
 */
export async function reconcile(dataSource: DataSource, options: ReconcileOptions = {}): Promise<ReconcileReport> {
  check(options);
  const { entities, columns, dryRun = false, onProgress, signal } = options;
  const work = withOwnSession(dataSource, async (session) => {
    const scope = new Scope(dataSource, await foldTables(session, dataSource, { allowStale: true }), { entities });
    refuseStale(scope.tables);
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

function check(options: ReconcileOptions): void {
  refuseUnknownOptions("reconcile", options, ["entities", "columns", "dryRun", "onProgress", "signal"]);
  const fail = (what: string, got: unknown) =>
    new EventLogError("OPTIONS_INVALID", `reconcile: expected ${what}, got: ${String(got)}.`, {
      hint: "Call it like `reconcile({ entities: [Account], dryRun: true })`.",
    });
  const { entities, columns, dryRun, onProgress, signal } = options;
  if (entities !== undefined && !(Array.isArray(entities) && entities.length > 0))
    throw fail("entities to be a list of entities that is not empty", entities);
  if (columns !== undefined && !(Array.isArray(columns) && columns.every((name) => typeof name === "string")))
    throw fail("columns to be a list of names", columns);
  if (dryRun !== undefined && typeof dryRun !== "boolean") throw fail("dryRun to be true or false", dryRun);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw fail("onProgress to be a function", onProgress);
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw fail("signal to be an AbortSignal", signal);
}
