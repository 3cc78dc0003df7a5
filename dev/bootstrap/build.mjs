import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Failure, say } from "./failure.mjs";
import { ROOT } from "./root.mjs";
import { runTool } from "./spawn.mjs";

const DIST = join(ROOT, "dist");
const STAMP = join(DIST, ".built-from");

/** Which source an output comes from, by their endings. @type {[output: RegExp, sources: string[]][]} */
const ORIGINS = [
  [/\.d\.ts$/, [".ts"]],
  [/\.d\.mts$/, [".mjs"]],
  [/\.mjs(\.map)?$/, [".mjs"]],
  [/\.js(\.map)?$/, [".ts"]],
  [/\.json$/, [".json"]],
];

/** Whether dist was built from exactly the sources that are here now: by content, about 20 ms. */
export function isBuilt() {
  if (!existsSync(STAMP)) return false;
  const sources = listSources();
  return readFileSync(STAMP, "utf8") === hashOf(sources) && sources.every((path) => existsSync(outputOf(path)));
}

/** Compiles everything, and removes what deleted sources left behind. @throws {Failure} */
export async function build() {
  say("building …");
  mkdirSync(DIST, { recursive: true });
  rmSync(STAMP, { force: true });
  const sources = listSources();
  // Taken before, so that an edit during the build is seen by the next one.
  const hash = hashOf(sources);
  const ended = await runTool(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."], {
    cwd: ROOT,
  });
  if (ended !== 0) throw new Failure(`The build failed (${ended}).`);
  removeStale(new Set(sources));
  writeFileSync(STAMP, hash);
}

/** @returns {string[]} paths below the repository, of everything that is compiled */
function listSources() {
  const { include, exclude } = JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8"));
  /** @param {string} path */
  const isExcluded = (path) => exclude.some((/** @type {string} */ folder) => path.startsWith(`${folder}/`));
  return include
    .flatMap((/** @type {string} */ room) => filesBelow(join(ROOT, room)))
    .map((/** @type {string} */ path) => relative(ROOT, path).replaceAll("\\", "/"))
    .filter((/** @type {string} */ path) => /\.(ts|mjs|json)$/.test(path) && !isExcluded(path))
    .sort();
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesBelow(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  if (found.isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !join(entry.parentPath, entry.name).includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** @param {string[]} sources */
function hashOf(sources) {
  const hash = createHash("sha256");
  for (const path of ["tsconfig.json", "package-lock.json", ...sources]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** @param {string} source */
function outputOf(source) {
  // Declarations and data have no output of their own to wait for.
  if (/\.(d\.ts|json)$/.test(source)) return STAMP;
  return join(DIST, source.replace(/\.ts$/, ".js"));
}

/** @param {Set<string>} sources */
function removeStale(sources) {
  for (const path of filesBelow(DIST)) {
    const output = relative(DIST, path).replaceAll("\\", "/");
    const origin = ORIGINS.find(([ending]) => ending.test(output));
    const isKept = origin?.[1].some((ending) => sources.has(output.replace(origin[0], ending)));
    if (!isKept) rmSync(path);
  }
}
