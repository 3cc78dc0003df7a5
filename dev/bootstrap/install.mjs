import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { ROOT } from "./root.mjs";
import { runTool } from "./spawn.mjs";

/** @typedef {{ version?: string, link?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Package */

const LOCK_FILE = join(ROOT, "package-lock.json");
/** What npm itself writes down about what it installed. */
const INSTALLED = join(ROOT, "node_modules", ".package-lock.json");
const STAMP = join(ROOT, "node_modules", ".installed-by-bootstrap");

/** Whether node_modules is what package-lock.json says, be it by us or by an `npm install` by hand. */
export function isInstalled() {
  if (!existsSync(INSTALLED)) return false;
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lockHash()) return true;
  const [wanted, present] = [packagesOf(LOCK_FILE), packagesOf(INSTALLED)];
  return Object.entries(wanted).every(([path, wants]) => {
    if (!path.startsWith("node_modules/") || wants.link) return true;
    const has = present[path];
    return has ? has.version === wants.version : wants.optional === true && !isForHere(wants);
  });
}

/** Install scripts stay off: nothing here needs one. @throws {Failure} */
export async function install() {
  say("installing dependencies (once) …");
  const args = ["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  const ended = await runNpm([...args, "--loglevel=error"]);
  if (ended !== 0) throw new Failure(`npm ci failed (${ended}).`);
  writeFileSync(STAMP, lockHash());
}

/** @param {string[]} args */
function runNpm(args) {
  const npm = process.env.npm_execpath;
  if (npm && basename(npm) === "npm-cli.js") return runTool(process.execPath, [npm, ...args], { cwd: ROOT });
  return runTool("npm", args, { cwd: ROOT, shell: process.platform === "win32" });
}

function lockHash() {
  return createHash("sha256").update(readFileSync(LOCK_FILE)).digest("hex");
}

/**
 * @param {string} file
 * @returns {Record<string, Package>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}

/**
 * npm leaves out optional packages made for another platform, and what only those need.
 * Which libc it found is not ours to repeat.
 * @param {Package} wanted
 */
function isForHere({ os, cpu, libc }) {
  return !libc && (os?.includes(process.platform) ?? false) && (cpu?.includes(process.arch) ?? false);
}
