import { existsSync, lstatSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * Makes the links that npm cannot pack and that the package's install script would have made, had it been allowed to run.
 * @param {string} native  the package's folder of binaries; any other folder has nothing to make
 * @returns {boolean} false where links are missing and may not be made here
 */
export function makeSymlinks(native) {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const at = join(native, below(target));
    if (isThere(at)) continue;
    try {
      symlinkSync(relative(dirname(at), join(native, below(source))), at);
    } catch (error) {
      // Another start was faster.
      if (isThere(at)) continue;
      if (error instanceof Error && "code" in error && ["EACCES", "EPERM", "EROFS"].includes(String(error.code))) {
        return false;
      }
      throw error;
    }
  }
  return true;
}

/**
 * The list names its files from the package's root, `native/lib/…`.
 * @param {string} path
 */
function below(path) {
  return path.replace(/^native\//, "");
}

/** @param {string} path */
function isThere(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
