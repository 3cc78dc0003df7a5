import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { checkOptions, type OptionsOf, section, value } from "../src/core/option-checker.js";
import { abortSignal, amount, trueOrFalse } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { numberOf, type Session, withOwnSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { lockErasures } from "../src/log/erasures.js";
import { refuse } from "../src/log/finding.js";
import { makePartition, type Partition, partitionsOf, keptFrom } from "../src/log/partitions.js";
import { parseTime } from "../src/log/point-in-time.js";
import { secure, storedGrants } from "../src/log/secure.js";
import { findingsOf } from "../src/log/status.js";
import { explainingFolds } from "./fold-failure.js";
import { foldTables } from "./fold-table.js";
import { withReplayLock } from "./locks.js";
import { makePlan } from "./plan.js";
import { Steps } from "./progress.js";
import { baselineOf, refuseOtherVersions } from "./retained.js";
import { foldToTables } from "./temporary-folds.js";

export interface RetainOptions {
  /** Partitions that had ended by then go: a Date, or ISO 8601 with an offset. */
  readonly since: Date | string;
  /** Find out what would go, and change nothing. (Default: false) */
  readonly dryRun?: boolean | undefined;
  /** How long to try for a moment without an open transaction on the log, in milliseconds. (Default: 60 000) */
  readonly lockTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const time = value<Date | string>(
  "a Date, or text in ISO 8601 with an offset, not a year or a position",
  (given) =>
    given instanceof Date ? !Number.isNaN(given.getTime()) : typeof given === "string" && !/^\d+$/.test(given),
  { hint: 'Call it like `retain({ since: "2026-01-01T00:00:00Z" })`.' },
);

const retainOptions = section({
  since: time.required().as((since) => (typeof since === "string" ? parseTime(since) : since)),
  dryRun: trueOrFalse.byDefault(false),
  lockTimeoutMs: amount("milliseconds").byDefault(60_000),
  signal: abortSignal,
} satisfies OptionsOf<RetainOptions>);

export interface RetainReport {
  /** The partitions that went; none where none is old enough. */
  readonly dropped: readonly string[];
  /** How many events they held. */
  readonly events: number;
  /** How many records were alive at their end: each has a create event, with origin "retained", in their place. */
  readonly records: number;
  /** Points in time from this position on are as exact as before; undefined where nothing was ever dropped. */
  readonly knownFrom: bigint | undefined;
}

/**
 * Drops the oldest partitions of the event table, whole, behind a baseline: what they come down to is folded and put in
 * their place, right before the first position that is kept, so every later point in time is what it was. Earlier ones,
 * bookmarks among them, are POINT_IN_TIME_UNKNOWN from then on. One transaction; what is folded is no longer written,
 * so only the last step, in which partitions change places, needs a moment without writers. The last partition never
 * goes: begin one with `partition()`.
 * Throws OPTIONS_INVALID, NOT_INSTALLED, INSTALL_STALE, NOT_OWNER, REPLAY_IN_PROGRESS, REPLAY_LOCK_TIMEOUT,
 * REPLAY_ABORTED, REPLAY_VERSION_UNHANDLED (also where an override takes events that would go), REPLAY_RECORD_MISSING.
 */
export async function retain(dataSource: DataSource, options: RetainOptions): Promise<RetainReport> {
  const { since, dryRun, lockTimeoutMs, signal } = checkOptions("retain", options, retainOptions);
  const { schema } = attachmentOf(dataSource);
  const steps = new Steps(undefined, signal, "retention");
  const run = () =>
    withOwnSession(dataSource, async (session) => {
      const tables = await foldTables(session, dataSource);
      refuse(await findingsOf(session, dataSource));
      const going = await partitionsBefore(session, schema, since);
      const last = going.at(-1);
      const kept = await keptFrom(session, schema);
      if (last === undefined || (kept !== undefined && last.end <= kept))
        return { dropped: [], events: 0, records: 0, knownFrom: kept === undefined ? undefined : kept - 1n };
      const work = async () => {
        await lockErasures(session, dataSource, "exclusive");
        await session.run("set local work_mem = '128MB'; set local jit = off");
        const cut = { position: last.end - 1n, leftOut: [], epoch: 0 };
        const plan = await makePlan(session, dataSource, cut);
        if (plan.kinds.some(({ handler }) => handler === "override")) throw overridden();
        await refuseOtherVersions(session, schema, tables);
        const folded = await foldToTables(session, dataSource, { label: "kept", cut, plan, tables, steps });
        const events = plan.kinds.reduce((sum, kind) => sum + kind.events, 0);
        const standIn = dryRun ? undefined : await makeStandIn(session, schema, last);
        let records = 0;
        for (const table of tables) {
          steps.stopIfAborted();
          records +=
            standIn === undefined
              ? numberOf(await session.row(sql`select count(*) as rows from ${raw(folded.of(table))}`), "rows")
              : await baselineOf(session, schema, table, folded.of(table), standIn);
        }
        if (standIn !== undefined) {
          await session.run(`analyze ${standIn.event}`);
          await patiently(session, lockTimeoutMs, steps, () => changePlaces(session, schema, going, last));
        }
        await session.run("discard temp"); // the connection may be a pooler's, which gives it to others
        return { dropped: going.map(({ name }) => name), events, records, knownFrom: last.end - 1n };
      };
      return steps.stoppable(dataSource, session, () =>
        explainingFolds(
          session,
          dataSource,
          () => tables,
          () => session.transaction(work),
        ),
      );
    });
  return asOwner(dataSource, withReplayLock(dataSource, run));
}

/** The oldest partitions, up to the last whose end is known and lies before that time. */
async function partitionsBefore(session: Session, schema: string, since: Date): Promise<Partition[]> {
  const partitions = await partitionsOf(session, schema);
  const row = await session.row(sql`
    select max(number) as going from unnest(${partitions.map(({ ended }) => ended ?? null)}::timestamptz[]) with ordinality as p (ended, number)
    where ended <= to_timestamp(${since.getTime()}::double precision / 1000)`);
  return partitions.slice(0, numberOf(row, "going"));
}

const standInName = "event_standing_in";

/**
 * An empty table that will take the place of the partitions up to `last`. What is written there has the transaction of
 * the last event before its end, which no later point leaves out, and the time of that end, so that positions,
 * transactions and times still rise together: a time before it is before the log began. Positions count down from that
 * end.
 */
async function makeStandIn(session: Session, schema: string, last: Partition) {
  const event = `${schema}.${standInName}`;
  const stamp = await session.row(
    sql`select transaction_id, epoch from ${raw(schema)}.event where position < ${last.end} order by position desc limit 1`,
  );
  await makePartition(session, schema, standInName);
  await secure(session, schema, await storedGrants(session, schema));
  await session.run(`alter table ${event} add constraint event_bound check (position < ${last.end})`);
  if (stamp !== undefined)
    await session.run(`alter table ${event} alter transaction_id set default '${stamp.transaction_id}',
      alter epoch set default ${stamp.epoch}, alter occurred_at set default '${last.ended}'`);
  const positions = "pg_temp.chronicle_kept_positions";
  await session.run(`create temporary sequence chronicle_kept_positions increment by -1 minvalue 1 maxvalue ${last.end - 1n} start with ${last.end - 1n};
    select set_config('chronicle.permitted', pg_current_xact_id()::text, true)`);
  await session.rows(sql`delete from ${raw(schema)}.event_sensitive where position < ${last.end}`);
  await session.rows(sql`delete from ${raw(schema)}.event_late where position < ${last.end}`);
  return { event, positions };
}

async function changePlaces(session: Session, schema: string, going: readonly Partition[], last: Partition) {
  await session.run(`lock table ${schema}.event in access exclusive mode`);
  for (const { sqlName } of going)
    await session.run(`alter table ${schema}.event detach partition ${sqlName}; drop table ${sqlName}`);
  await session.run(`
    alter table ${schema}.${standInName} rename to ${last.name};
    alter table ${schema}.event attach partition ${schema}.${last.name} for values from (minvalue) to (${last.end});
    alter table ${schema}.${last.name} drop constraint event_bound;
    update ${schema}.installation set kept_from = ${last.end}`);
  await secure(session, schema, await storedGrants(session, schema));
}

/** Waiting longer for the lock would make writers wait behind us. */
const lockMs = 250;

async function patiently(session: Session, timeoutMs: number, steps: Steps, work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    steps.stopIfAborted();
    try {
      return await session.nested(async () => {
        await session.run(`set local lock_timeout = ${lockMs}`);
        await work();
      });
    } catch (error) {
      if (stateOf(error) !== "55P03" && stateOf(error) !== "40P01") throw error;
      if (Date.now() > deadline)
        throw new EventLogError("REPLAY_LOCK_TIMEOUT", `The log was never free for a moment in ${timeoutMs} ms.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 200));
  }
}

function overridden(): EventLogError {
  return new EventLogError("REPLAY_VERSION_UNHANDLED", "An override takes events that would go.", {
    hint: "Keep the events that overrides take: an override may do more than a baseline can stand for. Pass an earlier `since`.",
  });
}
