/** Packs what would be published, and has it looked at as its users' tools would: publint and arethetypeswrong. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, say } from "./bootstrap/failure.mjs";
import { ROOT } from "./bootstrap/root.mjs";

const folder = mkdtempSync(join(tmpdir(), "typeorm-chronicle-package-"));
try {
  const pack = `npm pack --silent --pack-destination "${folder}"`;
  const packed = spawnSync(pack, { cwd: ROOT, shell: true, stdio: ["ignore", "ignore", "inherit"] });
  if (packed.status !== 0) throw new Failure(`npm pack failed (${packed.status}).`);
  const [name] = readdirSync(folder);
  if (name === undefined) throw new Failure("npm pack made no package.");
  const tarball = join(folder, name);

  const checks = [
    ["node_modules/publint/src/cli.js", "run", tarball, "--strict"],
    ["node_modules/@arethetypeswrong/cli/dist/index.js", tarball, "--profile", "esm-only", "--no-emoji"],
  ];
  for (const args of checks) {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
    if (status !== 0) throw new Failure(`${stdout}${stderr}\n${args[0]} finds the package wrong (${status}).`);
  }
  say(`${name} is fit to publish`);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
