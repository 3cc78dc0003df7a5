import { randomUUID } from "node:crypto";
import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { abortSignal } from "../core/option-kinds.js";
import { readingError } from "../core/rights.js";
import { connect, Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { TailReader, type TailedEvent } from "./tail-reader.js";
import { type After, afterOption, startOf } from "./tail-start.js";

export interface TailOptions {
  /**
   * Where to go on: the cursor of the last event that a tail gave, 0n for the log's beginning, or a bookmark, after
   * which comes everything that was not committed then. A position is accepted too, but it does not say which older
   * transactions were given: those that have ended count as given, and the DataSource's logger is warned of those
   * that are open.
   * (Default: now)
   */
  readonly after?: After | undefined;
  /** Ends the tail, without an error. */
  readonly signal?: AbortSignal | undefined;
}

const tailOptions = section({ after: afterOption, signal: abortSignal } satisfies OptionsOf<TailOptions>);

/** The longest that a tail sleeps without being woken, and the shortest when it was woken for nothing. */
const sleepMs = 1_000;
const pauseMs = 25;

/**
 * Events as they are committed, each once, those of a transaction together and in order. They come in batches: what was
 * committed since the batch before, ordered by transaction. A transaction that is open holds nothing back: its events
 * come when it is committed. For the order of changes to one record `position` counts.
 * Throws POINT_IN_TIME_UNKNOWN, OPTIONS_INVALID, NOT_READER.
 */
export async function* tail(dataSource: DataSource, options: TailOptions = {}): AsyncGenerator<TailedEvent> {
  const { after, signal } = checkOptions("tail", options, tailOptions);
  const { schema } = attachmentOf(dataSource);
  const sleeper = new Sleeper(signal);
  const client = await connect(dataSource, {}, () => sleeper.wake());
  const session = new Session(client);
  const id = randomUUID();
  try {
    await session.run(`listen ${schema}`);
    const reader = new TailReader(session, schema, await startOf(session, dataSource, after));
    for (let woken = false; ;) {
      let given = 0;
      for (let events = await reader.next(); events.length > 0; events = await reader.next()) {
        for (const event of events) {
          if (signal?.aborted) return;
          yield event;
          given++;
        }
      }
      // Woken for nothing, as whoever may connect can do: not in a circle.
      if (given === 0 && woken) await sleeper.pause(pauseMs);
      if (signal?.aborted) return;
      // Said before the last look, so that whoever commits after that look knows that there is a tail to wake.
      sleeper.reset();
      await session.rows(sql`select ${raw(schema)}.fall_asleep(${id}, ${(sleepMs * 2) / 1_000})`);
      woken = (await reader.hasMore()) || (await sleeper.sleep(sleepMs));
      await session.rows(sql`select ${raw(schema)}.wake_up(${id})`);
    }
  } catch (error) {
    throw readingError(dataSource, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Sleeps until it is woken; a wake that came before the sleep counts. */
class Sleeper {
  #woken = false;
  #resolve: (() => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    signal?.addEventListener("abort", () => this.wake(), { once: true });
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  reset(): void {
    this.#woken = false;
  }

  /** Whether it was woken before its time. */
  async sleep(ms: number): Promise<boolean> {
    if (!this.#woken) await this.pause(ms);
    return this.#woken;
  }

  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resolve = undefined;
  }
}
