import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Whom the server runs as. PostgreSQL refuses root, so root steps down to a user that owns nothing of value.
 * @typedef {{ uid: number, gid: number }} User
 */

/**
 * @returns {User | null} null: whoever we are already
 * @throws {Error} for root on a machine without such a user
 */
export function serverUser() {
  if (process.getuid?.() !== 0) return null;
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = [idOf(name, "-u"), idOf(name, "-g")];
    if (uid && gid) return { uid, gid };
  }
  throw new Error(
    "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody.\n" +
      "Run as another user, add one (useradd postgres), or set DATABASE_URL.",
  );
}

/**
 * @param {string} name
 * @param {string} flag
 */
function idOf(name, flag) {
  const { stdout, status } = spawnSync("id", [flag, name], { encoding: "utf8" });
  return status === 0 ? Number(stdout.trim()) : undefined;
}

/**
 * Whether that user may pass through every folder down to this one.
 * @param {string} folder
 * @param {User | null} user
 */
export function canReach(folder, user) {
  if (user === null) return true;
  for (let at = resolve(folder); ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
