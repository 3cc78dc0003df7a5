import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";

/** This process, in each of its entries. */
export const node = `${hostname()}:${process.pid}`;
/** A process that is alive is heard of every hour, if only by its heartbeat. */
const silentHours = 3;
/** Digests of the ids of this process's writers, of all its DataSources. */
const ours = new Set<string>();

/** What a writer that ended without a farewell took with it. */
export interface Lost {
  /** Of the entry that tells of it. */
  readonly id: string;
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
  #waiting = 0;

  constructor(
    private readonly schema: string,
    private readonly queue: number,
  ) {
    ours.add(createHash("sha256").update(this.#run).digest("hex"));
  }

  /** SQL to go with a write, in the same statement, so that both are there or neither. */
  seen(waiting: number): Statement {
    this.#isKnown = true;
    this.#waiting = waiting;
    return sql`${raw(this.schema)}.activity_alive(${this.#run}, ${node}, ${waiting}, ${this.queue})`;
  }

  /** Says that this process is alive, whatever it writes. */
  async beat(session: Session): Promise<void> {
    if (!this.#isKnown) return;
    await session.rows(sql`select ${this.seen(this.#waiting)}`);
  }

  /** Nothing waits any more: whatever becomes of this process, nothing is lost. */
  async farewell(session: Session): Promise<void> {
    if (!this.#isKnown) return;
    await session.rows(sql`select ${raw(this.schema)}.activity_farewell(${this.#run})`);
    this.#isKnown = false;
  }

  /** Has the log tell of writers that are gone, of each once. Of this machine at once, of others after hours. */
  async takeLost(session: Session): Promise<Lost[]> {
    const rows = await session.rows(
      sql`select digest, node, silent from ${raw(this.schema)}.activity_writers(${silentHours})`,
    );
    const gone = rows.filter(
      ({ digest, node: of, silent }) => !ours.has(digest ?? "") && (silent === "t" || isGone(of ?? "")),
    );
    if (gone.length === 0) return [];
    const digests = gone.map(({ digest }) => digest);
    const taken = await session.rows(
      sql`select id, node, waiting, queue, seen_ms from ${raw(this.schema)}.take_lost_writers(${digests}, ${node})`,
    );
    return taken.map((row) => ({
      id: row.id ?? "",
      node: row.node ?? "",
      seenAt: new Date(Math.floor(Number(row.seen_ms))),
      atLeast: numberOf(row, "waiting"),
      atMost: numberOf(row, "queue"),
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
