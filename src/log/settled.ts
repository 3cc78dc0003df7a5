import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { numberOf, type Session } from "../core/session.js";
import { sql } from "../core/sql.js";

/** How long a point near now waits for the writers that were open when it was asked for. */
const settleMs = 10_000;
const pauseMs = 20;

/**
 * Waits until nothing can be added any more to what is stamped up to a time, which is given as text: until every transaction
 * that has written to the log, and may have done so by then, has ended. Whoever writes events holds a lock on their table from
 * before it draws a position until its end, so idle transactions and those of other databases are not waited for.
 * Throws POINT_IN_TIME_UNKNOWN where they do not end.
 */
export async function settled(session: Session, dataSource: DataSource, time: string): Promise<void> {
  const { schema, options } = attachmentOf(dataSource);
  const deadline = Date.now() + settleMs;
  const writers = async () => {
    const rows = await session.rows(sql`
      select l.virtualtransaction || '@' || coalesce(l.pid, 0) as writer
      from pg_locks l
      where l.locktype = 'relation' and l.relation = ${`${schema}.event`}::regclass and l.mode = 'RowExclusiveLock' and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
      and l.pid is distinct from pg_backend_pid()
      and coalesce((select a.xact_start from pg_stat_get_activity(l.pid) a), '-infinity')
        <= ${time}::timestamptz + make_interval(secs => ${options.clockSkewSeconds}::double precision)`);
    return new Set(rows.map(({ writer }) => writer));
  };
  await pass(session, time);
  let open = await writers();
  while (open.size > 0) {
    if (Date.now() > deadline) {
      throw new EventLogError(
        "POINT_IN_TIME_UNKNOWN",
        `${open.size} transactions that wrote to the log before this point have not ended, so what belongs to it is not settled yet.`,
        { hint: "Try again when they have ended, or ask for an earlier point." },
      );
    }
    await sleep(pauseMs);
    const still = await writers();
    open = new Set([...open].filter((writer) => still.has(writer)));
  }
}

/** A time that the database's clock has not reached yet is waited for: events may still get it. */
async function pass(session: Session, time: string): Promise<void> {
  const row = await session.row(
    sql`select greatest(extract(epoch from ${time}::timestamptz - clock_timestamp()) * 1000, 0) as ms`,
  );
  const ms = numberOf(row, "ms");
  if (ms > 0) await sleep(ms + 1);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
