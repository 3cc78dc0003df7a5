import { createHash } from "node:crypto";
import { closeSync, constants, lstatSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename } from "node:path";
import type { ActivityEntry } from "./entry.js";
import { openOwnFile } from "./own-files.js";
import type { SpoolLines } from "./spool-line.js";

/** A spool file ends here: no more is read at once. */
export const largestFileBytes = 8 * 1024 * 1024;
/** At the end of the name of a file that was put aside. */
export const asideEnding = ".unreadable";

/** What of a spool file could not be read. */
export interface Unreadable {
  /** The same however often the file is read: told again, it is the same entry. */
  readonly id: string;
  /** Where the file is put aside. */
  readonly file: string;
  /** Lines that were left out; null if none was read. */
  readonly lines: number | null;
  readonly reasons: readonly string[];
}

export interface StoredFile {
  readonly entries: readonly ActivityEntry[];
  readonly unreadable: Unreadable | undefined;
  /** Its entries are written: removes it, or puts it aside if some of it could not be read. Throws what the system says. */
  readonly finish: () => void;
}

/** Reads a file that waits in the spool. Never throws, whatever is there under that name. */
export function readStored(path: string, lines: SpoolLines): StoredFile {
  const reasons = new Map<string, number>();
  const entries: ActivityEntry[] = [];
  let isRead = false;
  try {
    const [text, torn] = textOf(path);
    isRead = true;
    for (const line of text) {
      const entry = lines.read(line);
      if (typeof entry !== "string") entries.push(entry);
      else reasons.set(entry, (reasons.get(entry) ?? 0) + 1);
    }
    if (torn !== "") reasons.set("cut off", 1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") reasons.set((error as Error).message, 0);
  }
  if (reasons.size === 0) return { entries, unreadable: undefined, finish: () => rmSync(path, { force: true }) };
  const id = idOf(path);
  const aside = `${path}.${id.slice(0, 8)}${asideEnding}`;
  const unreadable: Unreadable = {
    id,
    file: basename(aside),
    lines: isRead ? [...reasons.values()].reduce((sum, count) => sum + count, 0) : null,
    reasons: [...reasons].map(([reason, count]) => (count === 0 ? reason : `${count} ${reason}`)),
  };
  return { entries, unreadable, finish: () => renameSync(path, aside) };
}

/** Its lines, and what comes after the last line break. */
function textOf(path: string): [lines: readonly string[], torn: string] {
  const { descriptor, stats } = openOwnFile(path, constants.O_RDONLY);
  try {
    if (stats.size > largestFileBytes) throw new Error(`The file is larger than ${largestFileBytes} bytes.`);
    const lines = readFileSync(descriptor, "utf8").split("\n");
    return [lines, lines.pop() ?? ""];
  } finally {
    closeSync(descriptor);
  }
}

/** A UUID of what stands under a name, without reading it. */
function idOf(path: string): string {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  const hash = createHash("sha256").update(`${path} ${stats?.ino} ${stats?.size} ${stats?.mtimeMs}`).digest("hex");
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
