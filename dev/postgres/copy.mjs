import { createHash, randomBytes } from "node:crypto";
import { chmodSync, cpSync, lstatSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canReach } from "./run-as.mjs";
import { makeSymlinks } from "./symlinks.mjs";

/**
 * A copy of a PostgreSQL where the server's user can execute it: about 60 MB, made once and shared by all starts.
 * @param {string} prefix  the folder above `bin`
 * @param {import("./run-as.mjs").User | null} user
 * @returns {string} the copy's prefix
 */
export function cachedCopy(prefix, user) {
  const digest = digestOf(prefix);
  const cache = join(reachableTmp(user), `typeorm-chronicle-postgres-${digest}`);
  if (isSound(cache, digest)) return cache;

  // Made aside and moved into place as a whole, so that no other start sees half of it.
  const fresh = mkdtempSync(`${cache}.`);
  cpSync(prefix, fresh, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  makeSymlinks(fresh);
  openToAll(fresh);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      renameSync(fresh, cache);
      return cache;
    } catch {
      if (isSound(cache, digest)) {
        rmSync(fresh, { recursive: true, force: true });
        return cache;
      }
      setAside(cache);
    }
  }
  return fresh;
}

/**
 * Nobody else's, and nothing taken out by a cleaner of temporary files.
 * @param {string} cache
 * @param {string} digest
 */
function isSound(cache, digest) {
  const found = lstatSync(cache, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return false;
  const ours = process.getuid === undefined || found.uid === process.getuid();
  return ours && (found.mode & 0o022) === 0 && digestOf(cache) === digest;
}

/** @param {string} cache */
function setAside(cache) {
  try {
    const aside = `${cache}.${randomBytes(6).toString("hex")}`;
    renameSync(cache, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch {
    // Another's folder, or gone already; the copy that was made aside is used then.
  }
}

/**
 * Names and sizes of all files, links left out: they may not be there yet.
 * @param {string} folder
 */
function digestOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path.slice(folder.length)} ${lstatSync(path).size}`;
    })
    .sort();
  return createHash("sha256").update(files.join("\n")).digest("hex").slice(0, 16);
}

/** @param {string} folder */
function openToAll(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, 0o755);
  }
}

/**
 * @param {import("./run-as.mjs").User | null} user
 * @throws {Error} when the server's user can use no temporary folder
 */
export function reachableTmp(user) {
  const folders = [tmpdir(), "/tmp", "/var/tmp"];
  for (const folder of folders) {
    if (lstatSync(folder, { throwIfNoEntry: false }) && canReach(folder, user)) return folder;
  }
  throw new Error(
    `The user that PostgreSQL runs as can reach none of ${folders.join(", ")}: set TMPDIR to one it can.`,
  );
}
