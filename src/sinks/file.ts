import { close, constants, read, write } from "node:fs";
import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ActivityEntry } from "../activity/entry.js";
import { openOwnFile, ownFolder } from "../activity/own-files.js";
import type { CheckedFileSink } from "./options.js";
import type { Sink } from "./sink.js";

const current = "activity.jsonl";
const rotated = /^activity-\d{4}-\d{2}-\d{2}-\d+\.jsonl$/;
const dayMs = 86_400_000;
const megabyte = 1_048_576;
const lineBreak = 0x0a;

/** The file that is written to. */
interface OpenFile {
  readonly descriptor: number;
  readonly inode: number;
  /** The day that it holds the entries of. */
  readonly day: string;
}

/**
 * JSON Lines in a folder: a file a day, or more if one grows too large; those older than some days are removed. The folder and the
 * file must be this process's own and closed to others, else a write throws FILE_REFUSED.
 */
export function fileSink({ folder, rotationSizeMb, keepDays }: CheckedFileSink): Sink {
  const path = join(folder, current);
  let file: OpenFile | undefined;
  let midnight: NodeJS.Timeout | undefined;

  async function files(): Promise<string[]> {
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => name === current || rotated.test(name)).sort();
  }

  async function removeOld(): Promise<void> {
    for (const name of await files()) {
      if (name === current) continue;
      const { mtimeMs } = await lstat(join(folder, name));
      if (mtimeMs < Date.now() - keepDays * dayMs) await rm(join(folder, name), { force: true });
    }
  }

  async function open(): Promise<OpenFile> {
    ownFolder(folder);
    await removeOld();
    const { O_RDWR, O_APPEND, O_CREAT } = constants;
    const { descriptor, stats } = openOwnFile(path, O_RDWR | O_APPEND | O_CREAT);
    file = { descriptor, inode: stats.ino, day: stats.size > 0 ? dayOf(stats.mtime) : dayOf(new Date()) };
    // What was left by a process that ended before midnight is a file of its own too.
    if (file.day !== dayOf(new Date())) {
      await putAside();
      return open();
    }
    await endTornLine(descriptor, stats.size);
    awaitMidnight();
    return file;
  }

  function awaitMidnight(): void {
    clearTimeout(midnight);
    midnight = setTimeout(
      () => void inTurn(beginDay).catch(() => undefined),
      new Date().setHours(24, 0, 0, 0) - Date.now(),
    );
    midnight.unref();
  }

  async function beginDay(): Promise<void> {
    if (file?.day === dayOf(new Date())) return awaitMidnight(); // a timer may come a little early
    await putAside();
    await open();
  }

  /** Closes the file and gives it the name of its day, unless another process has done so or it is empty. */
  async function putAside(): Promise<void> {
    const own = file;
    await closeFile();
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined || found.size === 0 || (own !== undefined && found.ino !== own.inode)) return;
    const day = own?.day ?? dayOf(found.mtime);
    const taken = await files();
    let index = 1;
    while (taken.includes(`activity-${day}-${index}.jsonl`)) index++;
    await rename(path, join(folder, `activity-${day}-${index}.jsonl`));
    await removeOld();
  }

  async function closeFile(): Promise<void> {
    clearTimeout(midnight);
    const own = file;
    file = undefined;
    if (own !== undefined) await promisify(close)(own.descriptor);
  }

  async function append(batch: readonly ActivityEntry[]): Promise<void> {
    const found = await lstat(path).catch(() => undefined);
    if (file !== undefined && found?.ino !== file.inode) await closeFile(); // another process has put it aside
    if (file !== undefined && file.day !== dayOf(new Date())) await putAside();
    const { descriptor } = file ?? (await open());
    try {
      await writeAll(descriptor, batch.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    } catch (error) {
      await closeFile(); // the next batch opens it again, and ends what may be half a line
      throw error;
    }
    // What is written stays written, whatever becomes of the file's name: an error here would have it written again.
    await putAsideIfLarge().catch(() => undefined);
  }

  async function putAsideIfLarge(): Promise<void> {
    const { size } = await lstat(path);
    if (size >= rotationSizeMb * megabyte) await putAside();
  }

  let last: Promise<unknown> = Promise.resolve();
  /** One thing at a time: a file is not renamed under a write. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  return {
    name: `file ${folder}`,
    write: (batch) => inTurn(() => append(batch)),
    rotate: () => inTurn(putAside),
    files,
    close: () => inTurn(closeFile),
  };
}

/** A process that was killed, or a disk that was full, may have left half a line: the next entry must not become part of it. */
async function endTornLine(descriptor: number, size: number): Promise<void> {
  if (size === 0) return;
  const { buffer } = await promisify(read)(descriptor, Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] !== lineBreak) await writeAll(descriptor, "\n");
}

async function writeAll(descriptor: number, text: string): Promise<void> {
  for (let rest = Buffer.from(text); rest.byteLength > 0;) {
    const { bytesWritten } = await promisify(write)(descriptor, rest);
    rest = rest.subarray(bytesWritten);
  }
}

/** Of this machine's time zone: 2026-01-31. */
function dayOf(time: Date): string {
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}
