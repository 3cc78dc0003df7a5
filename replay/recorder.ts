import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Comparison, RecordingProgress } from "../src/log/comparison.js";
import { endOfLog } from "../src/log/point-in-time.js";
import { imagesOf } from "./differing-records.js";
import type { FoldTable } from "./fold-table.js";
import { makePlan } from "./plan.js";
import { type RecordedCounts, type Recording, recordDifferences, recordFarewells } from "./record-differences.js";
import { stageOldVersions } from "./stage.js";

/**
 * How long a batch waits for a row or a table that somebody writes, at most: far below Postgres's `deadlock_timeout`.
 */
const lockTimeoutMs = 100;

interface RecorderOptions {
  readonly origin: Recording["origin"];
  readonly dryRun: boolean;
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Compares tables with the log and records what differs. */
export class Recorder {
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
    let done = 0;
    const recording: Recording = {
      schema,
      table,
      images: await imagesOf(this.session, schema, table),
      columns: table.columns.filter(({ name }) => columns?.includes(name) ?? true),
      added,
      unknownRows: whole && unknownRows,
      missingRows: whole,
      formerKey: formerKey ?? undefined,
      origin: this.options.origin,
      dryRun: this.options.dryRun,
      batch: (work) => this.#patiently(work),
      onBatch: (counts, { read, total }) => {
        done += read;
        this.#count(counts);
        this.options.onProgress?.({ entity: table.entity, done, total: Math.max(total, done), events: this.#events });
      },
      ...(await this.#prepare()),
    };
    const change = rekeyed ? table.history?.changes.findLast((candidate) => candidate.rekeyed) : undefined;
    if (change !== undefined) await recordFarewells(this.session, recording, change.position);
    if (whole || recording.columns.length > 0) await recordDifferences(this.session, recording);
    if (!whole)
      for (const partition of partitions) {
        const relation = await this.#named(partition);
        const row = await this.session.row(sql`select exists (select from ${raw(relation)}) as filled`);
        if (row?.filled !== "t") continue;
        await recordDifferences(this.session, { ...recording, columns: table.columns, unknownRows, relation });
      }
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
    const { signal } = this.options;
    for (let failures = 0; ; failures++) {
      if (signal?.aborted) {
        throw new EventLogError("REPLAY_ABORTED", "Comparing the tables with the log was aborted.", {
          hint: "Call it again: it goes on where it stopped.",
        });
      }
      try {
        return await this.session.transaction(async () => {
          await this.session.run(
            `set local lock_timeout = ${lockTimeoutMs}; set local jit = off; set local work_mem = '64MB'`,
          );
          return work(failures);
        });
      } catch (error) {
        if (stateOf(error) !== "55P03" && stateOf(error) !== "LOG_LOCKED") throw error;
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 50));
      }
    }
  }
}
