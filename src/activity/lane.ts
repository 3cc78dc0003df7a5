import { AsyncResource } from "node:async_hooks";
import type { Sink } from "../sinks/sink.js";
import type { ActivityEntry } from "./entry.js";

export interface LaneOptions {
  readonly batch: { readonly size: number; readonly intervalMs: number };
  /** Entries that wait at most. */
  readonly queue: number;
  /** Makes the entry that tells of dropped ones. */
  readonly gap: (dropped: Dropped) => ActivityEntry;
  /** Hears of each failed write. */
  readonly onError: (error: unknown) => void;
}

/** Entries that had to be left out, and when. */
export interface Dropped {
  readonly sink: string;
  readonly count: number;
  readonly from: Date;
  readonly to: Date;
}

/** Milliseconds before the next attempt: doubled each time. */
const firstWaitMs = 200;
const longestWaitMs = 30_000;
/** A sink that fell behind is caught up in larger writes. */
const largestWrite = 1_000;

/** Sinks are called outside of any request: what they do is not done by whoever recorded the last entry. */
const outside = new AsyncResource("typeorm-chronicle activity");

/** The way to one sink: a bounded queue, written in batches, one write at a time, tried again until it succeeds. */
export class Lane {
  readonly #sink: Sink;
  readonly #options: LaneOptions;
  readonly #queue: ActivityEntry[] = [];
  #dropped: { count: number; from: Date; to: Date } | undefined;
  /** Tells of what was dropped; the same entry until it is delivered, so that nothing is told twice. */
  #gap: ActivityEntry | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerIsSoon = false;
  #writing: Promise<boolean> | undefined;
  #failures = 0;
  droppedInAll = 0;
  lastFlush: Date | null = null;
  lastError: string | null = null;
  /** Called with what was written, or given up. */
  onDone: ((entries: readonly ActivityEntry[]) => void) | undefined;

  constructor(sink: Sink, options: LaneOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  get name(): string {
    return this.#sink.name;
  }

  get sink(): Sink {
    return this.#sink;
  }

  get length(): number {
    return this.#queue.length;
  }

  get isFull(): boolean {
    return this.#queue.length >= this.#options.queue;
  }

  /** Puts an entry in the queue: never waits. `soon` has it written without waiting for more. False where there was no room. */
  push(entry: ActivityEntry, { soon = false } = {}): boolean {
    if (this.#sink.wants?.(entry) === false) return true;
    if (this.isFull) return false;
    this.#queue.push(entry);
    this.#schedule(soon || this.#queue.length >= this.#options.batch.size);
    return true;
  }

  /** Takes entries that wait elsewhere into the queue, whatever its bound: the caller sees to that. */
  load(entries: readonly ActivityEntry[]): void {
    this.#queue.push(...entries);
    this.#schedule(true);
  }

  /** Counts an entry that was left out. */
  drop({ occurredAt }: Pick<ActivityEntry, "occurredAt">, count = 1): void {
    this.droppedInAll += count;
    this.#dropped ??= { count: 0, from: occurredAt, to: occurredAt };
    this.#dropped.count += count;
    this.#dropped.to = occurredAt;
    this.#schedule(false);
  }

  /** Writes all that waits now. False where the sink failed; what waits goes on waiting. */
  async flush(): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // What is being written began before this call, and may have left out what came since.
    await this.#writing;
    return this.#write();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(soon: boolean): void {
    if (this.#failures > 0 && this.#timer !== undefined) return; // backing off: a new entry changes nothing
    if (this.#timer !== undefined && (this.#timerIsSoon || !soon)) return;
    clearTimeout(this.#timer);
    this.#timerIsSoon = soon;
    this.#timer = setTimeout(() => void this.#tick(), soon ? 0 : this.#options.batch.intervalMs);
    // Nothing is kept alive by entries that wait: destroy() writes them.
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    this.#timer = undefined;
    // A timer has nobody to throw to.
    await this.#write().catch((error: unknown) => this.#fail(error));
  }

  /** One loop at a time: whoever comes while it runs is answered by it. */
  #write(): Promise<boolean> {
    this.#writing ??= outside
      .runInAsyncScope(() => this.#writeAll())
      .finally(() => {
        this.#writing = undefined;
        if (this.#queue.length > 0 && this.#timer === undefined) this.#retryLater();
      });
    return this.#writing;
  }

  async #writeAll(): Promise<boolean> {
    while (this.#queue.length > 0 || this.#gap !== undefined || this.#dropped !== undefined) {
      const batch = this.#queue.slice(0, Math.max(this.#options.batch.size, largestWrite));
      if (this.#gap === undefined && this.#dropped !== undefined) {
        this.#gap = this.#options.gap({ sink: this.#sink.name, ...this.#dropped });
        this.#dropped = undefined;
      }
      const gap = this.#gap === undefined ? [] : [this.#gap];
      try {
        await this.#deliver([...gap, ...batch]);
      } catch (error) {
        this.#fail(error);
        return false;
      }
      this.#queue.splice(0, batch.length);
      this.#gap = undefined;
      this.#failures = 0;
      this.lastFlush = new Date();
      this.onDone?.(batch);
    }
    return true;
  }

  /** Where one entry makes the whole batch fail, it is found by halves and left out: it would hold up all others for ever. */
  async #deliver(batch: readonly ActivityEntry[]): Promise<void> {
    try {
      await this.#sink.write(batch, Math.max(0, this.length - batch.length));
    } catch (error) {
      if (this.#sink.refuses?.(error) !== true) throw error;
      const [only] = batch;
      if (batch.length > 1) {
        await this.#deliver(batch.slice(0, batch.length >> 1));
        await this.#deliver(batch.slice(batch.length >> 1));
      } else if (only !== undefined) {
        this.drop(only);
        this.#note(error);
      }
    }
  }

  #fail(error: unknown): void {
    this.#failures++;
    this.#note(error);
    this.#retryLater();
  }

  #note(error: unknown): void {
    this.lastError = error instanceof Error ? error.message : String(error);
    this.#options.onError(error);
  }

  #retryLater(): void {
    const wait = this.#failures === 0 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 1));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#tick(), wait * (0.75 + Math.random() / 2));
    this.#timer.unref();
  }
}
