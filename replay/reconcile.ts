import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { refuseUnknownOptions } from "../src/core/options.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withOwnSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Comparison } from "../src/log/comparison.js";
import { endOfLog } from "../src/log/point-in-time.js";
import type { EntityReference } from "../src/log/tracked-tables.js";
import { type FoldTable, foldTables, refuseStale } from "./fold-table.js";
import { makePlan } from "./plan.js";
import {
  type RecordedCounts,
  type Recording,
  recordFarewells,
  recordMissing,
  recordRows,
} from "./record-differences.js";
import { Scope } from "./scope.js";
import { stageOldVersions } from "./stage.js";

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

/** How far comparing and recording has come. */
export interface RecordingProgress {
  readonly entity: string;
  /** Rows of the entity that were compared. */
  readonly rows: number;
  /** Events recorded. */
  readonly events: number;
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

/** How install has the values recorded that a schema change rewrote. */
export interface MigrationRecording {
  readonly session: Session;
  /** Whether a migration has a transaction open on the session. */
  readonly nested: boolean;
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Records, as events with origin "migration", what a schema change did to rows: what the last install noted and nobody
 * has finished. Each comparison is ticked off when it is done, so that an install that was stopped goes on where it
 * was. Returns how many events there are for each entity.
 */
export async function recordMigrations(
  dataSource: DataSource,
  { session, nested, onProgress, signal }: MigrationRecording,
): Promise<ReadonlyMap<string, number>> {
  const { schema } = attachmentOf(dataSource);
  const recorded = new Map<string, number>();
  const rows = await session.rows(
    sql`select table_name, unfinished, had_rows and not baseline_complete as unknown
      from ${raw(schema)}.tracked
      where unfinished is not null`,
  );
  if (rows.length === 0) return recorded;
  const batch = <T>(work: () => Promise<T>) => (nested ? session.nested(work) : session.transaction(work));
  const tables = await batch(() => foldTables(session, dataSource, { auditOnly: true, allowStale: true }));
  for (const { table_name, unfinished, unknown } of rows) {
    const table = tables.find(({ tableName }) => tableName === table_name);
    if (table === undefined) continue;
    const comparison = JSON.parse(unfinished ?? "{}") as Comparison;
    const recorder = new Recorder(session, dataSource, tables, {
      origin: "migration",
      dryRun: false,
      onProgress,
      signal,
      batch,
    });
    await recorder.record(
      table,
      { ...comparison, columns: comparison.whole ? undefined : comparison.columns },
      unknown !== "t",
    );
    await batch(() => finish(session, schema, table, comparison));
    const { created, updated, destroyed } = recorder.counts;
    recorded.set(table.entity, created + updated + destroyed);
  }
  return recorded;
}

/**
 * Ticks a comparison off. Where rows became known by it, a writer may have changed some before: their events may lack a
 * create.
 */
async function finish(session: Session, schema: string, table: FoldTable, comparison: Comparison): Promise<void> {
  const newest = sql`(select max(position) from ${raw(schema)}.event)`;
  const isKnownFromHere = comparison.whole || comparison.partitions.length > 0;
  await session.rows(sql`
    update ${raw(schema)}.tracked
    set unfinished = null, baseline_position = ${isKnownFromHere ? newest : sql`baseline_position`}
    where table_name = ${table.tableName} and unfinished = ${JSON.stringify(comparison)}::jsonb`);
}

/**
 * How long a batch waits for a row or a table that somebody writes, at most: far below Postgres's `deadlock_timeout`.
 */
const lockTimeoutMs = 100;

interface RecorderOptions {
  readonly origin: Recording["origin"];
  readonly dryRun: boolean;
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Runs one batch. (Default: each in its own transaction) */
  readonly batch?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}

/** Compares tables with the log and records what differs. */
class Recorder {
  counts: RecordedCounts = { created: 0, updated: 0, destroyed: 0 };
  #prepared: Promise<Pick<Recording, "plan" | "staged">> | undefined;

  constructor(
    private readonly session: Session,
    private readonly dataSource: DataSource,
    private readonly tables: readonly FoldTable[],
    private readonly options: RecorderOptions,
  ) {}

  async record(
    table: FoldTable,
    {
      whole,
      columns,
      added,
      partitions,
      rekeyed,
      formerKey,
    }: Omit<Comparison, "columns"> & { columns: readonly string[] | undefined },
    unknownRows = true,
  ): Promise<void> {
    const { schema } = attachmentOf(this.dataSource);
    const made = await this.session.row(
      sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
    );
    let rows = 0;
    const recording: Recording = {
      schema,
      table,
      image: made?.sql ?? "",
      columns: table.columns.filter(({ name }) => columns?.includes(name) ?? true),
      added,
      unknownRows: whole && unknownRows,
      formerKey: formerKey ?? undefined,
      origin: this.options.origin,
      dryRun: this.options.dryRun,
      batch: (work) => this.#patiently(work),
      onBatch: (counts, read) => {
        rows += read;
        this.#count(counts);
        this.options.onProgress?.({ entity: table.entity, rows, events: this.#events });
      },
      ...(await this.#prepare()),
    };
    const change = rekeyed ? table.history?.changes.findLast((candidate) => candidate.rekeyed) : undefined;
    if (change !== undefined) await recordFarewells(this.session, recording, change.position);
    if (whole || recording.columns.length > 0) await recordRows(this.session, recording);
    if (whole) await recordMissing(this.session, recording);
    else
      for (const partition of partitions)
        await recordRows(this.session, {
          ...recording,
          columns: table.columns,
          unknownRows,
          relation: await this.#named(partition),
        });
  }

  async #named(oid: string): Promise<string> {
    const { schema } = attachmentOf(this.dataSource);
    return (await this.session.row(sql`select ${raw(schema)}.table_name(${oid}::oid) as name`))?.name ?? "";
  }

  /** Brings events of old versions to today's shape, once: no writer adds to them. */
  #prepare(): Promise<Pick<Recording, "plan" | "staged">> {
    return (this.#prepared ??= this.#stage());
  }

  async #stage(): Promise<Pick<Recording, "plan" | "staged">> {
    const staged = `chronicle_staged_${this.options.origin}`;
    const plan = await this.#patiently(async () => {
      const cut = await endOfLog(this.session, this.dataSource);
      const made = await makePlan(this.session, this.dataSource, cut);
      await this.session.run(`drop table if exists pg_temp.${staged}`);
      const staging = {
        plan: made,
        cut,
        tables: this.tables,
        staged,
        lasts: "session",
        step: () => undefined,
      } as const;
      await stageOldVersions(this.session, this.dataSource, staging);
      return made;
    });
    return { plan, staged: `pg_temp.${staged}` };
  }

  get #events(): number {
    const { created, updated, destroyed } = this.counts;
    return created + updated + destroyed;
  }

  #count({ created, updated, destroyed }: RecordedCounts): void {
    this.counts = {
      created: this.counts.created + created,
      updated: this.counts.updated + updated,
      destroyed: this.counts.destroyed + destroyed,
    };
  }

  /**
   * Runs a batch again and again as long as somebody else holds what it needs, the number of failures being given to
   * it.
   */
  async #patiently<T>(work: (failures: number) => Promise<T>): Promise<T> {
    const { batch = (run: () => Promise<T>) => this.session.transaction(run), signal } = this.options;
    for (let failures = 0; ; failures++) {
      if (signal?.aborted) {
        throw new EventLogError("REPLAY_ABORTED", "Comparing the tables with the log was aborted.", {
          hint: "Call it again: it goes on where it stopped.",
        });
      }
      try {
        return await batch(async () => {
          await this.session.run(
            `set local lock_timeout = ${lockTimeoutMs}; set local jit = off; set local work_mem = '64MB'`,
          );
          return work(failures);
        });
      } catch (error) {
        if (stateOf(error) !== "55P03") throw error;
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 50));
      }
    }
  }
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
