import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../dev/bootstrap/root.mjs";

export const bin = join(ROOT, "dist/src/cli/main.js");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a process of its own, without a terminal. */
export async function chronicle(
  args: readonly string[],
  { url, cwd, onStart }: { url?: string; cwd?: string; onStart?: (child: ChildProcess) => void } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...(url && { DATABASE_URL: url }) },
  });
  onStart?.(child);
  return ended(child);
}

/** The same on a terminal, by the program `script`, typing `answer` when something is asked. */
export async function chronicleOnTerminal(args: readonly string[], answer: string, url: string): Promise<Ended> {
  const quoted = [process.execPath, bin, ...args].map((arg) => `'${arg}'`).join(" ");
  const child = spawn("script", ["-qec", quoted, "/dev/null"], { env: { ...process.env, DATABASE_URL: url } });
  child.stdout.on("data", (chunk: Buffer) => {
    if (chunk.toString().includes("[y/N]")) child.stdin.write(answer);
  });
  return ended(child);
}

function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A folder of modules that export DataSources, as applications have them. */
export class Modules {
  private constructor(readonly folder: string) {}

  static async make(): Promise<Modules> {
    return new Modules(await mkdtemp(join(tmpdir(), "typeorm-chronicle-cli-")));
  }

  /** A module with `Account` and `withEventLog` at hand; .mjs or .cjs. Returns its path. */
  async write(name: string, text: string): Promise<string> {
    const library = join(ROOT, "dist/src/index.js");
    const typeorm = join(ROOT, "node_modules/typeorm/index.js");
    const imports = name.endsWith(".cjs")
      ? `const { DataSource, EntitySchema } = require(${JSON.stringify(typeorm)});
         const { track, withEventLog } = require(${JSON.stringify(library)});`
      : `import typeorm from ${JSON.stringify(pathToFileURL(typeorm).href)};
         import { track, withEventLog } from ${JSON.stringify(pathToFileURL(library).href)};
         const { DataSource, EntitySchema } = typeorm;`;
    const path = join(this.folder, name);
    await writeFile(
      path,
      `${imports}
       const columns = { id: { type: "integer", primary: true }, name: { type: "text" }, balance: { type: "numeric", default: 0 } };
       const Account = track(new EntitySchema({ name: "Account", columns }));
       const options = { type: "postgres", url: process.env.DATABASE_URL, entities: [Account] };
       ${text}`,
    );
    return path;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
