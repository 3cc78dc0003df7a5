import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Beside the sources; this code runs in dist. */
const folder = join(import.meta.dirname, "../../../bench/peers/packages");

/**
 * Installs the other packages that keep a history, once, into a folder that nothing else reads; gives the function that loads them.
 * They ask for TypeORM 0.3, so npm is told to pass over that (its package.json, overrides). Throws an Error that says why npm failed.
 */
export async function installPeers(): Promise<NodeJS.Require> {
  if (!existsSync(join(folder, "node_modules", ".package-lock.json"))) {
    const options = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const npm = spawn("npm", ["ci", ...options], {
      cwd: folder,
      shell: process.platform === "win32",
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    npm.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [code] = (await once(npm, "close")) as [number | null];
    if (code !== 0) throw new Error(`npm ci in bench/peers/packages failed (${code}): ${said.trim()}`);
  }
  return createRequire(join(folder, "package.json"));
}
