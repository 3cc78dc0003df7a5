import { EventLogError } from "../src/core/errors.js";

export interface Progress {
  /** What is being done, for people. */
  readonly step: string;
  /** Steps done. */
  readonly done: number;
  /** Steps in all; known from the start. */
  readonly total: number;
}

/** Tells progress and stops between steps when the caller aborts. */
export class Steps {
  #done = 0;
  #total = 0;

  constructor(
    private readonly onProgress: ((progress: Progress) => void) | undefined,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** A step per table and fold, and one to make live equal. */
  plan({ tables, folds }: { tables: number; folds: number }): void {
    this.#total = tables * folds + 1;
  }

  next(step: string): void {
    this.stopIfAborted();
    this.#done++;
    this.onProgress?.({ step, done: this.#done, total: Math.max(this.#total, this.#done) });
  }

  /** Throws REPLAY_ABORTED once the signal was given. */
  stopIfAborted(): void {
    if (this.signal?.aborted) throw new EventLogError("REPLAY_ABORTED", "The replay was aborted.");
  }
}
