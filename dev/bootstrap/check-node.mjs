import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "./failure.mjs";
import { ROOT } from "./root.mjs";

/** @throws {Failure} when this Node is none of those that package.json names */
export function checkNode(version = process.versions.node) {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  if (!satisfies(version, engines.node)) {
    throw new Failure(`This needs Node ${engines.node}, and this is Node ${version}.`);
  }
}

/**
 * Knows the two forms that package.json uses: `^20.19` and `>=24.11`.
 * @param {string} version
 * @param {string} range
 */
function satisfies(version, range) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return range.split("||").some((part) => {
    const [, operator, atMajor, atMinor] = /^\s*(\^|>=)(\d+)\.(\d+)\s*$/.exec(part) ?? [];
    if (operator === undefined) throw new Failure(`engines.node in package.json: cannot read ${part.trim()}`);
    if (major === Number(atMajor)) return minor >= Number(atMinor);
    return operator === ">=" && major > Number(atMajor);
  });
}
