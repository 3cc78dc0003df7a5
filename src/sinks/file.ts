import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createStream, type RotatingFileStream } from "rotating-file-stream";
import type { CheckedFileSink } from "./options.js";
import type { Sink } from "./sink.js";

const current = "activity.jsonl";
const rotated = /^activity-\d{4}-\d{2}-\d{2}-\d+\.jsonl$/;
const dayMs = 86_400_000;

/** JSON Lines in a folder: a file a day, or more where one grows too large; those older than some days are removed. */
export function fileSink({ folder, rotationSizeMb, keepDays }: CheckedFileSink): Sink {
  let stream: RotatingFileStream | undefined;
  /** The file that is written to; another process may have put it aside. */
  let inode: number | undefined;

  async function files(): Promise<string[]> {
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => name === current || rotated.test(name)).sort();
  }

  async function removeOld(): Promise<void> {
    for (const name of await files()) {
      if (name === current) continue;
      const { mtimeMs } = await stat(join(folder, name));
      if (mtimeMs < Date.now() - keepDays * dayMs) await rm(join(folder, name), { force: true });
    }
  }

  async function open(): Promise<RotatingFileStream> {
    await mkdir(folder, { recursive: true });
    await removeOld();
    const made = createStream(nameOf, {
      path: folder,
      size: `${rotationSizeMb}M`,
      interval: "1d",
      intervalBoundary: true,
      // What was left by a process that ended before midnight is a file of its own too.
      initialRotation: true,
      mode: 0o600,
    });
    made.on("rotated", () => void removeOld().catch(() => undefined));
    made.on("open", () => (inode = undefined));
    made.on("error", () => (stream = undefined)); // the next batch opens it anew
    made.on("warning", () => undefined);
    return made;
  }

  let last: Promise<unknown> = Promise.resolve();
  /** One thing at a time: a file is not renamed under a write. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  async function close(): Promise<void> {
    const own = stream;
    stream = undefined;
    inode = undefined;
    if (own !== undefined) await new Promise<void>((resolve) => own.end(() => resolve()));
  }

  return {
    name: `file ${folder}`,
    write: (batch) =>
      inTurn(async () => {
        const found = await stat(join(folder, current)).catch(() => undefined);
        if (inode !== undefined && found?.ino !== inode) await close();
        else inode = found?.ino;
        stream ??= await open();
        const own = stream;
        const lines = batch.map((entry) => `${JSON.stringify(entry)}\n`).join("");
        await new Promise<void>((resolve, reject) => {
          own.once("error", reject);
          own.write(lines, (error) => {
            own.off("error", reject);
            if (error) reject(error);
            else resolve();
          });
        });
      }),
    rotate: () =>
      inTurn(async () => {
        await close();
        const { size } = await stat(join(folder, current)).catch(() => ({ size: 0 }));
        if (size === 0) return;
        const taken = await files();
        let index = 1;
        while (taken.includes(nameOf(new Date(), index))) index++;
        await rename(join(folder, current), join(folder, nameOf(new Date(), index)));
        await removeOld();
      }),
    files,
    close: () => inTurn(close),
  };
}

/** By the day that the file began, and a number. */
function nameOf(time: Date | number | null, index = 1): string {
  if (time === null || time === 0) return current;
  const at = new Date(time);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
  return `activity-${day}-${index}.jsonl`;
}
