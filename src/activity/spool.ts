import { randomUUID } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ActivityEntry } from "./entry.js";

/** Entries of one file: no more than are read back at once. */
const largest = 5_000;
/** A file of a process that is alive is touched more often than this. */
const orphanedMs = 60_000;
const host = hostname().replaceAll(/[^\w.-]/g, "_");
/** Files of this process, of all its DataSources. */
const ours = new Set<string>();

/** A file of entries, some of which still wait in memory. */
interface Segment {
  readonly path: string;
  readonly descriptor: number;
  entries: number;
  waiting: number;
}

interface StoredFile {
  readonly entries: ActivityEntry[];
  readonly remove: () => void;
  readonly leave: () => void;
}

/**
 * What waits for the database, in files of a folder, so that it survives the process: every entry is in its file before record()
 * returns. An entry whose write was interrupted may be written twice, which its id makes harmless.
 */
export class Spool {
  readonly #folder: string;
  readonly #segmentOf = new Map<string, Segment>();
  #current: Segment | undefined;
  /** Full files that never were in memory, or whose process is gone. */
  readonly #stored: string[] = [];
  /** Entries go to files alone, for the queue is full. */
  #overflow: Segment | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.findOrphans();
  }

  /** Keeps an entry that waits in memory too. */
  keep(entry: ActivityEntry): void {
    this.#current = this.#append(this.#current, entry);
    this.#current.waiting++;
    this.#segmentOf.set(entry.id, this.#current);
  }

  /** Keeps an entry for which memory has no room. */
  store(entry: ActivityEntry): void {
    const before = this.#overflow;
    this.#overflow = this.#append(before, entry);
    if (before !== undefined && before !== this.#overflow) this.#close(before);
  }

  /** Whether entries wait in files alone. */
  get hasStored(): boolean {
    return this.#stored.length > 0 || this.#overflow !== undefined;
  }

  /** Entries were written to the database: their files end when the last of them was. */
  release(entries: readonly ActivityEntry[]): void {
    for (const { id } of entries) {
      const segment = this.#segmentOf.get(id);
      if (segment === undefined) continue;
      this.#segmentOf.delete(id);
      segment.waiting--;
      if (segment.waiting > 0) continue;
      if (segment === this.#current) this.#reuse(segment);
      else this.#remove(segment);
    }
  }

  /** The entries of one stored file: to be removed once they are written, or else left for whoever finds it next. */
  next(): StoredFile | undefined {
    if (this.#stored.length === 0 && this.#overflow !== undefined) {
      this.#close(this.#overflow);
      this.#overflow = undefined;
    }
    const path = this.#stored.shift();
    if (path === undefined) return undefined;
    const remove = () => {
      ours.delete(path);
      rmSync(path, { force: true }); // another process may have taken it over too
    };
    return { entries: readEntries(path), remove, leave: () => void ours.delete(path) };
  }

  /** Takes over the files of processes that are gone. */
  findOrphans(): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      if (!name.endsWith(".jsonl") || ours.has(path) || !isOrphaned(path, name)) continue;
      ours.add(path);
      this.#stored.push(path);
    }
  }

  /** Says that this process is alive, to processes that cannot see it. */
  touch(): void {
    const now = new Date();
    for (const segment of new Set([...this.#segmentOf.values(), this.#current, this.#overflow]))
      if (segment !== undefined) futimesSync(segment.descriptor, now, now);
  }

  /** Files with entries in them stay for the next process. */
  close(): void {
    for (const segment of new Set([...this.#segmentOf.values(), this.#current, this.#overflow])) {
      if (segment === undefined) continue;
      closeSync(segment.descriptor);
      ours.delete(segment.path);
      if (segment.entries === 0 || (segment.waiting === 0 && segment !== this.#overflow)) unlinkSync(segment.path);
    }
    for (const path of this.#stored) ours.delete(path);
    this.#current = undefined;
    this.#overflow = undefined;
    this.#segmentOf.clear();
  }

  #append(segment: Segment | undefined, entry: ActivityEntry): Segment {
    const own = segment === undefined || segment.entries >= largest ? this.#open() : segment;
    writeSync(own.descriptor, `${JSON.stringify(entry)}\n`);
    own.entries++;
    return own;
  }

  #open(): Segment {
    const path = join(this.#folder, `${host}-${process.pid}-${randomUUID()}.jsonl`);
    ours.add(path);
    return { path, descriptor: openSync(path, "ax", 0o600), entries: 0, waiting: 0 };
  }

  #close({ path, descriptor }: Segment): void {
    closeSync(descriptor);
    this.#stored.push(path);
  }

  #reuse(segment: Segment): void {
    ftruncateSync(segment.descriptor);
    segment.entries = 0;
  }

  #remove({ path, descriptor }: Segment): void {
    closeSync(descriptor);
    ours.delete(path);
    unlinkSync(path);
  }
}

/** A line that was cut off by the end of its process is no entry. */
function readEntries(path: string): ActivityEntry[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        const entry = JSON.parse(line) as ActivityEntry;
        return [{ ...entry, occurredAt: new Date(entry.occurredAt) }];
      } catch {
        return [];
      }
    });
}

/** Of this machine: its process is gone. Of another one, or where a process id was given anew: not touched for a while. */
function isOrphaned(path: string, name: string): boolean {
  const pid = Number(/-(\d+)-[\da-f-]{36}\.jsonl$/.exec(name)?.[1]);
  try {
    const isOld = statSync(path).mtimeMs < Date.now() - orphanedMs;
    if (!name.startsWith(`${host}-${pid}-`)) return isOld;
    if (pid === process.pid) return true; // not ours, so of a process that had our id before
    try {
      process.kill(pid, 0);
      return isOld;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ESRCH";
    }
  } catch {
    return false; // removed by its process in this moment
  }
}
