import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { abortSignal, aFunction, amount, trueOrFalse } from "../core/option-kinds.js";
import { asOwner } from "../core/rights.js";
import { numberOf, type Session, withOwnSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

export interface CleanupOptions {
  readonly olderThanDays: number;
  /** Count, and delete nothing. (Default: false) */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CleanupReport {
  /** Entries deleted; under dryRun, those that would be. */
  readonly entries: number;
  /** Entries as old as that and kept: a role that does not own the log ends none within the retention that install() was given. */
  readonly kept: number;
  readonly before: Date;
  readonly dryRun: boolean;
}

const cleanupOptions = section({
  olderThanDays: amount("days", 365_000).required(),
  dryRun: trueOrFalse.byDefault(false),
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<CleanupOptions>);

/** Entries per statement: short transactions, for whoever else works on the table. */
const batch = 5_000;
const dayMs = 86_400_000;

/**
 * Deletes entries older than some days, in small batches. A role that does not own the log keeps what is younger than the
 * retention that install() was given.
 */
export async function cleanup(dataSource: DataSource, options: CleanupOptions): Promise<CleanupReport> {
  const { olderThanDays, dryRun, onProgress, signal } = checkOptions("cleanup", options, cleanupOptions);
  const { schema } = attachmentOf(dataSource);
  const before = new Date(Date.now() - olderThanDays * dayMs);
  const counts = await asOwner(
    dataSource,
    withOwnSession(dataSource, async (session) => {
      const { total, kept } = await count(session, schema, before);
      if (dryRun) return { entries: total, kept };
      if (signal?.aborted === true) return { entries: 0, kept };
      const entries = await deleteBatches(session, schema, before, (done) => {
        onProgress?.({ done, total: Math.max(done, total) });
        return signal?.aborted !== true;
      });
      return { entries, kept };
    }),
  );
  return { ...counts, before, dryRun };
}

/** What activity_cleanup() would delete for this role, and what it would keep of what is old enough. */
async function count(session: Session, schema: string, before: Date): Promise<{ total: number; kept: number }> {
  const row = await session.row(sql`select asked, due from ${raw(schema)}.activity_due(${before})`);
  const total = numberOf(row, "due");
  return { total, kept: numberOf(row, "asked") - total };
}

/**
 * The same by one process at a time: whoever finds another one at it leaves it to that. The lock is taken anew with each batch, for
 * a session's lock means nothing behind a pooler.
 */
export async function keepRetention(dataSource: DataSource, retentionDays: number): Promise<number> {
  const { schema } = attachmentOf(dataSource);
  const before = new Date(Date.now() - retentionDays * dayMs);
  return withOwnSession(dataSource, async (session) => {
    for (let done = 0; ;) {
      const deleted = await session.transaction(async () => {
        const locked = await session.row(
          sql`select pg_try_advisory_xact_lock(hashtextextended(${`typeorm-chronicle activity retention ${schema}`}, 0)) as mine`,
        );
        return locked?.mine === "t" ? deleteBatch(session, schema, before) : 0;
      });
      done += deleted;
      if (deleted < batch) return done;
    }
  });
}

async function deleteBatches(
  session: Session,
  schema: string,
  before: Date,
  goesOn: (done: number) => boolean,
): Promise<number> {
  for (let done = 0; ;) {
    const deleted = await deleteBatch(session, schema, before);
    done += deleted;
    if (!goesOn(done) || deleted < batch) return done;
  }
}

async function deleteBatch(session: Session, schema: string, before: Date): Promise<number> {
  return numberOf(
    await session.row(sql`select ${raw(schema)}.activity_cleanup(${before}, ${batch}) as deleted`),
    "deleted",
  );
}
