import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EventLogError } from "../../src/index.js";

/** The error by which work is refused. */
export async function refusal(work: () => unknown): Promise<EventLogError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EventLogError) return error;
    throw error;
  }
  throw new Error("It was not refused.");
}

/** Only root gives files away. */
const isRoot = process.getuid?.() === 0;

/** Where the link among the foreign files leads: beside the folder that it is in. */
export const targetOf = (path: string) => `${dirname(path)}-target.jsonl`;

/** Each makes a folder that is not to be used, and what is said of it. */
export const refusedFolders: Readonly<
  Record<string, readonly [make: (folder: string) => Promise<unknown>, said: RegExp]>
> = {
  "may be written by all": [
    (folder) => chmod(folder, 0o777),
    /may be written by others \(its mode is 777\).*chmod go-w/,
  ],
  "may be written by its group": [(folder) => chmod(folder, 0o770), /may be written by others \(its mode is 770\)/],
  "may be written by others than its group": [(folder) => chmod(folder, 0o702), /may be written by others/],
  "is sticky, as /tmp is": [(folder) => chmod(folder, 0o1777), /may be written by others \(its mode is 1777\)/],
  "is a symbolic link": [
    async (folder) => {
      await rename(folder, `${folder}-elsewhere`);
      await symlink(`${folder}-elsewhere`, folder);
    },
    /is a symbolic link, not a folder/,
  ],
  "is a symbolic link to nothing": [
    async (folder) => {
      await rm(folder, { recursive: true });
      await symlink(`${folder}-nothing`, folder);
    },
    /is a symbolic link, not a folder/,
  ],
  "is a file": [
    async (folder) => {
      await rm(folder, { recursive: true });
      await writeFile(folder, "");
    },
    /is a file, not a folder/,
  ],
  ...(isRoot && {
    "belongs to another user": [
      (folder: string) => chown(folder, 12_345, 0),
      /belongs to the user 12345, and this process runs as 0.*chown 0/,
    ] as const,
  }),
};

/** What may stand in a spool under a name of its own: none is followed or taken for entries, none ends the process. */
export const foreignFiles: Readonly<Record<string, (path: string, line: string) => Promise<unknown>>> = {
  "a folder": (path) => mkdir(path),
  "a folder with a file in it": async (path, line) => {
    await mkdir(path);
    await writeFile(join(path, "x.jsonl"), line);
  },
  "a named pipe": async (path) => execFileSync("mkfifo", [path]),
  "a socket": async (path) => {
    const server = spawn(process.execPath, [
      "-e",
      "require('net').createServer().listen(process.argv[1], () => console.log(1))",
      path,
    ]);
    await once(server.stdout, "data");
    server.kill("SIGKILL");
    await once(server, "close");
  },
  "a symbolic link to entries": async (path, line) => {
    await writeFile(targetOf(path), line, { mode: 0o600 });
    await symlink(targetOf(path), path);
  },
  "a symbolic link to a device": (path) => symlink("/dev/zero", path),
  "a symbolic link to nothing": (path) => symlink(`${path}-nothing`, path),
  "a file that others may write": (path, line) => writeFile(path, line, { mode: 0o600 }).then(() => chmod(path, 0o666)),
  "a file of 9 MB": async (path, line) => {
    await writeFile(path, line, { mode: 0o600 });
    await truncate(path, 9 * 1024 * 1024);
  },
  ...(isRoot && {
    "a file of another user": (path: string, line: string) =>
      writeFile(path, line, { mode: 0o600 }).then(() => chown(path, 12_345, 0)),
    "a device": async (path: string) => execFileSync("mknod", [path, "c", "1", "5"]),
  }),
};
