import { type KeyObject, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  ftruncateSync,
  futimesSync,
  lstatSync,
  readdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ActivityEntry } from "./entry.js";
import { openOwnFile, ownFolder } from "./own-files.js";
import { SpoolLines } from "./spool-line.js";
import { asideEnding, largestFileBytes, readStored, type StoredFile } from "./stored-file.js";

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
  bytes: number;
  entries: number;
  waiting: number;
}

/**
 * What waits for the database, in files of a folder, so that it survives the process: every entry is in its file before record()
 * returns. An entry whose write was interrupted may be written twice, which its id makes harmless.
 */
export class Spool {
  readonly #folder: string;
  readonly #lines: SpoolLines;
  readonly #segmentOf = new Map<string, Segment>();
  #current: Segment | undefined;
  /** Full files that never were in memory, or whose process is gone. */
  readonly #stored: string[] = [];
  /** Entries go to files alone, for the queue is full. */
  #overflow: Segment | undefined;
  /** What was last refused of the folder or a file of it. */
  problem: string | null = null;

  /** Throws FILE_REFUSED if others may write to the folder. Whatever is in it, it is taken over or put aside later. */
  constructor(folder: string, secret: KeyObject | undefined) {
    this.#folder = ownFolder(folder);
    this.#lines = new SpoolLines(secret);
    this.tend();
  }

  /** Keeps an entry that waits in memory too. False if the disk does not take it. */
  keep(entry: ActivityEntry): boolean {
    return this.#try(() => {
      this.#current = this.#append(this.#current, entry);
      this.#current.waiting++;
      this.#segmentOf.set(entry.id, this.#current);
    });
  }

  /** Keeps an entry for which memory has no room. False if the disk does not take it. */
  store(entry: ActivityEntry): boolean {
    const before = this.#overflow;
    const isKept = this.#try(() => (this.#overflow = this.#append(before, entry)));
    if (before !== undefined && before !== this.#overflow) this.#setAside(before);
    return isKept;
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
      if (segment === this.#current) this.#try(() => this.#empty(segment));
      else this.#remove(segment);
    }
  }

  /** The entries of one stored file: to be finished once they are written, or else left for whoever finds it next. */
  next(): (StoredFile & { readonly leave: () => void }) | undefined {
    if (this.#stored.length === 0 && this.#overflow !== undefined) {
      this.#setAside(this.#overflow);
      this.#overflow = undefined;
    }
    const path = this.#stored.shift();
    if (path === undefined) return undefined;
    const stored = readStored(path, this.#lines);
    // A file that cannot be removed stays in `ours`, so that this process does not come back to it for ever.
    const finish = () =>
      this.#try(() => {
        stored.finish();
        ours.delete(path);
      });
    return { ...stored, finish, leave: () => void ours.delete(path) };
  }

  /** Says that this process is alive, to processes that cannot see it, and takes over the files of those that are gone. */
  tend(): void {
    const now = new Date();
    for (const segment of this.#segments()) this.#try(() => futimesSync(segment.descriptor, now, now));
    this.#try(() => {
      ownFolder(this.#folder); // made again if somebody removed it; still nobody else's
      for (const name of readdirSync(this.#folder)) {
        const path = join(this.#folder, name);
        if (!name.endsWith(".jsonl") || ours.has(path) || !isOrphaned(path, name)) continue;
        ours.add(path);
        this.#stored.push(path);
      }
    });
  }

  /** The files that were put aside because they could not be read, by this process or another. */
  get aside(): readonly string[] {
    try {
      return readdirSync(this.#folder).filter((name) => name.endsWith(asideEnding));
    } catch {
      return []; // `problem` says so
    }
  }

  /** Files with entries in them stay for the next process. */
  close(): void {
    for (const segment of this.#segments()) {
      if (segment.entries === 0 || (segment.waiting === 0 && segment !== this.#overflow)) this.#remove(segment);
      else this.#try(() => closeSync(segment.descriptor));
      ours.delete(segment.path);
    }
    for (const path of this.#stored) ours.delete(path);
    this.#current = undefined;
    this.#overflow = undefined;
    this.#segmentOf.clear();
  }

  #segments(): Set<Segment> {
    const all = [...this.#segmentOf.values(), this.#current, this.#overflow];
    return new Set(all.filter((segment) => segment !== undefined));
  }

  #append(segment: Segment | undefined, entry: ActivityEntry): Segment {
    const line = Buffer.from(this.#lines.write(entry));
    if (line.byteLength > largestFileBytes) throw new Error("The entry is larger than a spool file.");
    const isFull =
      segment === undefined || segment.entries >= largest || segment.bytes + line.byteLength > largestFileBytes;
    const own = isFull ? this.#open() : segment;
    try {
      if (writeSync(own.descriptor, line) < line.byteLength) throw new Error("The disk took a part of the entry.");
    } catch (error) {
      // The half of it would take the next line with it.
      this.#try(() => ftruncateSync(own.descriptor, own.bytes));
      if (own !== segment) this.#remove(own);
      throw error;
    }
    own.bytes += line.byteLength;
    own.entries++;
    return own;
  }

  #open(): Segment {
    ownFolder(this.#folder); // it may have been opened to others since
    const path = join(this.#folder, `${host}-${process.pid}-${randomUUID()}.jsonl`);
    const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
    const { descriptor } = openOwnFile(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
    ours.add(path);
    return { path, descriptor, bytes: 0, entries: 0, waiting: 0 };
  }

  /** A full file, whose entries memory had no room for. */
  #setAside({ path, descriptor }: Segment): void {
    this.#try(() => closeSync(descriptor));
    this.#stored.push(path);
  }

  #empty(segment: Segment): void {
    ftruncateSync(segment.descriptor);
    segment.entries = 0;
    segment.bytes = 0;
  }

  #remove({ path, descriptor }: Segment): void {
    this.#try(() => closeSync(descriptor));
    this.#try(() => unlinkSync(path));
    ours.delete(path);
  }

  /** Timers and the ends of writes come here: what the system refuses is told, and ends no process. */
  #try(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      return false;
    }
  }
}

/** Of this machine: its process is gone. Of another one, or where a process id was given anew: not touched for a while. */
function isOrphaned(path: string, name: string): boolean {
  const pid = Number(/-(\d+)-[\da-f-]{36}\.jsonl$/.exec(name)?.[1]);
  try {
    const isOld = lstatSync(path).mtimeMs < Date.now() - orphanedMs;
    if (!name.startsWith(`${host}-${pid}-`)) return isOld;
    if (pid === process.pid) return true; // not ours, so of a process that had our id before
    try {
      process.kill(pid, 0);
      return isOld;
    } catch (error) {
      return isOld || (error as NodeJS.ErrnoException).code === "ESRCH";
    }
  } catch {
    return false; // removed by its process in this moment
  }
}
