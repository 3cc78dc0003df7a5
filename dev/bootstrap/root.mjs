import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository: the nearest folder above with the lock file, from here or from the compiled copy of this file. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

/**
 * @param {string} folder
 * @returns {string}
 */
function findRoot(folder) {
  if (existsSync(join(folder, "package-lock.json")) || folder === dirname(folder)) return folder;
  return findRoot(dirname(folder));
}
