import type { ActivityEntry } from "./entry.js";
import type { Lane } from "./lane.js";
import type { Spool } from "./spool.js";
import type { Unreadable } from "./stored-file.js";

/**
 * A lane whose entries are in files too: they survive the process, and where the queue is full they wait in files alone until it
 * has drained.
 */
export class SpooledLane {
  /** Entries of a stored file that are in the queue now. */
  #loaded: { readonly waiting: Set<string>; readonly finish: () => void; readonly leave: () => void } | undefined;

  constructor(
    readonly lane: Lane,
    readonly spool: Spool,
    /** Makes the entry that tells of a file that could not be read. */
    private readonly gap: (unreadable: Unreadable) => ActivityEntry,
  ) {
    const told = lane.onDone;
    lane.onDone = (entries) => {
      told?.(entries);
      this.#done(entries);
    };
  }

  /** False where even the disk has no room: the entry is lost. */
  push(entry: ActivityEntry, options: { readonly soon: boolean }): boolean {
    if (this.lane.isFull || this.#loaded !== undefined || this.spool.hasStored) {
      if (this.spool.store(entry)) {
        this.#loadNext();
        return true;
      }
    } else this.spool.keep(entry);
    // A disk that fails is no reason to lose what memory can hold.
    return this.lane.push(entry, options);
  }

  get length(): number {
    return this.lane.length;
  }

  drop(entry: ActivityEntry): void {
    this.lane.drop(entry);
  }

  /** Writes what waits, stored files included. */
  async flush(): Promise<boolean> {
    do {
      this.#loadNext();
      if (!(await this.lane.flush())) return false;
    } while (this.spool.hasStored || this.#loaded !== undefined);
    return true;
  }

  /** Takes over what processes that are gone have left, and says that this one is alive. For timers: never throws. */
  tend(): void {
    this.spool.tend();
    this.#loadNext();
  }

  close(): void {
    this.#loaded?.leave();
    this.#loaded = undefined;
    this.spool.close();
  }

  #done(entries: readonly ActivityEntry[]): void {
    this.spool.release(entries);
    if (this.#loaded !== undefined) {
      for (const { id } of entries) this.#loaded.waiting.delete(id);
      if (this.#loaded.waiting.size > 0) return;
      this.#loaded.finish();
      this.#loaded = undefined;
    }
    this.#loadNext();
  }

  /** One stored file at a time, and only into a queue that has drained. */
  #loadNext(): void {
    if (this.#loaded !== undefined || this.lane.length > 0) return;
    for (let next = this.spool.next(); next !== undefined; next = this.spool.next()) {
      const { entries, unreadable, finish, leave } = next;
      const found = unreadable === undefined ? entries : [this.gap(unreadable), ...entries];
      if (found.length === 0) {
        finish();
        continue;
      }
      this.#loaded = { waiting: new Set(found.map(({ id }) => id)), finish, leave };
      return this.lane.load(found);
    }
  }
}
