import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";

/** This process, in each of its entries. */
export const node = `${hostname()}:${process.pid}`;
/** A process that is alive is heard of every hour, if only by its heartbeat. */
const silentHours = 3;
/** Writers of this process, of all its DataSources. */
const ours = new Set<string>();

/** What a writer that ended without a farewell took with it. */
export interface Lost {
  readonly node: string;
  /** Its last write. */
  readonly seenAt: Date;
  /** What waited behind that write. */
  readonly atLeast: number;
  /** What its queue could hold. */
  readonly atMost: number;
}

/**
 * One queue of one process as the table `activity_writer` knows it, from its first write to its farewell. A process that is killed
 * takes with it what waited in memory, and nobody can count that afterwards; but its row stays, and tells others that there was a
 * loss, since when, and between which bounds.
 */
export class Writer {
  readonly #run = randomUUID();
  #isKnown = false;

  constructor(
    private readonly schema: string,
    private readonly queue: number,
  ) {
    ours.add(this.#run);
  }

  /** To go with a write, in the same statement, so that both are there or neither. */
  seen(waiting: number): Statement {
    this.#isKnown = true;
    return sql`insert into ${raw(this.schema)}.activity_writer as w (run, node, waiting, queue, seen_at)
      values (${this.#run}, ${node}, ${waiting}, ${this.queue}, clock_timestamp())
      on conflict (run) do update set waiting = excluded.waiting, seen_at = excluded.seen_at`;
  }

  /** Says that this process is alive, whatever it writes. */
  async beat(session: Session): Promise<void> {
    if (!this.#isKnown) return;
    await session.rows(
      sql`update ${raw(this.schema)}.activity_writer set seen_at = clock_timestamp() where run = ${this.#run}`,
    );
  }

  /** Nothing waits any more: whatever becomes of this process, nothing is lost. */
  async farewell(session: Session): Promise<void> {
    if (!this.#isKnown) return;
    await session.rows(sql`delete from ${raw(this.schema)}.activity_writer where run = ${this.#run}`);
    this.#isKnown = false;
  }

  /** In a transaction: takes the rows of writers that are gone, each but once. Of this machine at once, of others after hours. */
  async takeLost(session: Session): Promise<Lost[]> {
    const rows = await session.rows(
      sql`select run, node, seen_at < clock_timestamp() - make_interval(hours => ${silentHours}::integer) as silent from ${raw(this.schema)}.activity_writer`,
    );
    const gone = rows.filter(
      ({ run, node: of, silent }) => !ours.has(run ?? "") && (silent === "t" || isGone(of ?? "")),
    );
    if (gone.length === 0) return [];
    const taken = await session.rows(
      sql`delete from ${raw(this.schema)}.activity_writer where run = any (${gone.map(({ run }) => run)}::uuid[])
        returning node, waiting, queue, extract(epoch from seen_at) * 1000 as seen_ms`,
    );
    return taken.map((row) => ({
      node: row.node ?? "",
      seenAt: new Date(Math.floor(Number(row.seen_ms))),
      atLeast: numberOf(row, "waiting"),
      atMost: Math.max(numberOf(row, "waiting"), numberOf(row, "queue")),
    }));
  }
}

/** Whether a process of this machine has ended. One that has our own id, and is not ours, had it before us. */
function isGone(of: string): boolean {
  const pid = Number(/:(\d+)$/.exec(of)?.[1]);
  if (of !== `${hostname()}:${pid}`) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
