import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { cachedCopy } from "./copy.mjs";
import { serverUser } from "./run-as.mjs";
import { makeSymlinks } from "./symlinks.mjs";

/**
 * Binaries that were seen to run.
 * @typedef {object} Installation
 * @property {string} bin       the folder that holds `postgres` and `initdb`
 * @property {string} version   such as "18.4"
 * @property {import("./run-as.mjs").User | null} user   whom to run them as
 */

/** Says in its message why binaries cannot be used here; the search goes on to the next ones. */
export class UnusableError extends Error {}

const EXE = process.platform === "win32" ? ".exe" : "";

/**
 * The binaries in place where the server's user can run them there, else a copy of theirs that it can.
 * @param {string} bin
 * @returns {Installation}
 * @throws {UnusableError}
 */
export function makeRunnable(bin) {
  for (const name of ["initdb", "postgres"]) {
    if (!existsSync(join(bin, name + EXE))) throw new UnusableError(`holds no ${name}`);
  }
  const user = serverUser();
  const complete = makeSymlinks(dirname(bin));
  const inPlace = complete ? versionOf(bin, user) : { reason: "its symbolic links are missing" };
  if ("version" in inPlace) return { bin, version: inPlace.version, user };

  if (!isRelocatable(bin)) throw new UnusableError(inPlace.reason);
  const copy = join(cachedCopy(dirname(bin), user), "bin");
  const copied = versionOf(copy, user);
  if ("version" in copied) return { bin: copy, version: copied.version, user };
  throw new UnusableError(copied.reason);
}

/**
 * Found by running them: libraries that are missing or made for another libc show here.
 * @param {string} bin
 * @param {import("./run-as.mjs").User | null} user
 * @returns {{ version: string } | { reason: string }}
 */
function versionOf(bin, user) {
  for (const name of ["initdb", "postgres"]) {
    const { status, stdout, stderr, error } = spawnSync(join(bin, name + EXE), ["--version"], {
      encoding: "utf8",
      cwd: "/",
      windowsHide: true,
      ...user,
    });
    if (error) return { reason: `${name} does not run (${error.message})` };
    if (status !== 0)
      return { reason: `${name} does not run (${stderr.trim().split("\n")[0] || `exit code ${status}`})` };
    const version = /\(PostgreSQL\) (\d+\S*)/.exec(stdout)?.[1];
    if (version === undefined) return { reason: `${name} --version said ${JSON.stringify(stdout.trim())}` };
    if (name === "postgres") return { version };
  }
  return { reason: "nothing was run" };
}

/**
 * PostgreSQL finds its files relative to its binaries where they all lie below one folder of ours to read.
 * @param {string} bin
 */
function isRelocatable(bin) {
  const prefix = dirname(bin);
  try {
    accessSync(bin, constants.R_OK);
  } catch {
    return false;
  }
  return ["lib", "share"].every((name) => existsSync(join(prefix, name, "postgresql")));
}
