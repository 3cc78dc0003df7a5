import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, type Stats } from "node:fs";
import { resolve } from "node:path";
import { EventLogError } from "../core/errors.js";

/** Whoever may write besides the owner: the group and all others. */
const writeOfOthers = 0o022;

/** Makes a folder that is this process's alone, or checks the one that is there. Throws FILE_REFUSED. Returns its full path. */
export function ownFolder(folder: string): string {
  const path = resolve(folder); // without a slash at the end, which would follow a link
  const found = statsOf(path);
  if (!found.isDirectory()) return refuse(`${path} is ${kindOf(found)}, not a folder.`);
  const foreign = foreignIn(found);
  if (foreign !== undefined) return refuse(`The folder ${path} ${foreign}.`, wayOut(path, found));
  return path;
}

function statsOf(folder: string): Stats {
  try {
    const found = lstatSync(folder, { throwIfNoEntry: false });
    if (found !== undefined) return found;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return lstatSync(folder);
  } catch (error) {
    return refuse(`The folder ${folder} cannot be made or read: ${(error as Error).message}.`);
  }
}

/**
 * Opens a regular file of this process's own, made with mode 600 if `flags` make files. It follows no link and never waits.
 * Throws FILE_REFUSED for anything else, and what the system says of a file that is not there.
 */
export function openOwnFile(path: string, flags: number): { readonly descriptor: number; readonly stats: Stats } {
  // Before it is opened too: opening a device does something to it.
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before !== undefined) checkFile(path, before);
  // Where links cannot be refused (Windows), these constants are not defined, and the check above is all there is.
  const safely =
    ((constants.O_NOFOLLOW as number | undefined) ?? 0) | ((constants.O_NONBLOCK as number | undefined) ?? 0);
  const descriptor = openSync(path, flags | safely, 0o600);
  try {
    const stats = fstatSync(descriptor);
    checkFile(path, stats);
    return { descriptor, stats };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function checkFile(path: string, stats: Stats): void {
  if (!stats.isFile()) refuse(`${path} is ${kindOf(stats)}, not a regular file.`, `Remove ${path}.`);
  const foreign = foreignIn(stats);
  if (foreign !== undefined) refuse(`The file ${path} ${foreign}.`, wayOut(path, stats));
}

/** What makes a folder or a file another's too; undefined if nothing does. */
function foreignIn({ uid, mode }: Stats): string | undefined {
  const own = process.getuid?.();
  if (own === undefined) return undefined; // no such owners and modes: Windows
  if (uid !== own) return `belongs to the user ${uid}, and this process runs as ${own}`;
  if ((mode & writeOfOthers) !== 0) return `may be written by others (its mode is ${(mode & 0o7777).toString(8)})`;
  return undefined;
}

function wayOut(path: string, stats: Stats): string {
  if (stats.uid === process.getuid?.()) return `Run \`chmod go-w ${path}\`, or name another folder.`;
  const inside = stats.isDirectory() ? " (one inside it will do: it is made with mode 700)" : "";
  return `Run \`chown ${process.getuid?.()} ${path}\`, or name another folder${inside}.`;
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? "a file" : "a device";
}

function refuse(message: string, hint?: string): never {
  throw new EventLogError("FILE_REFUSED", message, { hint });
}
