import { setTimeout as delay } from "node:timers/promises";
import type { DataSource } from "typeorm";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { type Session, withPooledSession } from "../src/core/session.js";
import { sql } from "../src/core/sql.js";

export interface Progress {
  /** What was done, for people. */
  readonly step: string;
  /** Steps done. */
  readonly done: number;
  /** Steps in all; known from the first one on. */
  readonly total: number;
}

/** Tells progress and stops when the caller aborts. */
export class Steps {
  #done = 0;
  #total = 0;

  constructor(
    private readonly onProgress: ((progress: Progress) => void) | undefined,
    private readonly signal: AbortSignal | undefined,
    /** What is stopped, as the error says it. */
    private readonly what = "replay",
  ) {}

  /** How many steps there will be. */
  plan(total: number): void {
    this.#total = total;
  }

  next(step: string): void {
    this.stopIfAborted();
    this.#done++;
    this.onProgress?.({ step, done: this.#done, total: Math.max(this.#total, this.#done) });
  }

  /** Throws REPLAY_ABORTED once the signal was given. */
  stopIfAborted(): void {
    if (this.signal?.aborted) throw this.#aborted();
  }

  /** Runs `work` on the session; when the signal is given, the statement that runs is cancelled. Throws REPLAY_ABORTED. */
  async stoppable<T>(dataSource: DataSource, session: Session, work: () => Promise<T>): Promise<T> {
    const { signal } = this;
    if (signal === undefined) return work();
    this.stopIfAborted();
    if (await session.isPooled()) return work(); // the backend may serve others meanwhile: it stops before a next statement
    const pid = Number((await session.row(sql`select pg_backend_pid() as pid`))?.pid);
    let working = true;
    // Again and again: one that comes between two statements cancels nothing.
    const cancel = async () => {
      for (; working; await delay(100)) {
        await withPooledSession(dataSource, (other) =>
          other.rows(sql`select pg_cancel_backend(${pid}::integer)`),
        ).catch(
          () => undefined, // the next one may get through
        );
      }
    };
    const onAbort = () => void cancel();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await work();
    } catch (error) {
      if (signal.aborted && stateOf(error) === "57014") throw this.#aborted(error);
      throw error;
    } finally {
      working = false;
      signal.removeEventListener("abort", onAbort);
    }
  }

  #aborted(cause?: unknown): EventLogError {
    return new EventLogError("REPLAY_ABORTED", `The ${this.what} was aborted.`, { cause });
  }
}
