import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawn, type ChildProcess } from "node:child_process";
import { ROOT } from "../../dev/bootstrap/root.mjs";

/** How a process that was started for a test ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A checkout of this repository that holds what brings it up, and the sources that a test puts there. */
export class Checkout {
  private readonly runs: Run[] = [];

  private constructor(readonly folder: string) {}

  static async make(): Promise<Checkout> {
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), "typeorm-chronicle-checkout-")));
    for (const name of ["dev", "package.json", "package-lock.json", "tsconfig.json"]) {
      await cp(join(ROOT, name), checkout.path(name), { recursive: true });
    }
    return checkout;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  async write(file: string, text: string): Promise<void> {
    await mkdir(dirname(this.path(file)), { recursive: true });
    await writeFile(this.path(file), text);
  }

  /** Shares what is installed here, which saves the checkout its own `npm ci`. */
  async useInstalledPackages(): Promise<void> {
    await symlink(join(ROOT, "node_modules"), this.path("node_modules"), "dir");
  }

  /** Runs `node` in the checkout, without the DATABASE_URL and the settings of npm that this test run has itself. */
  node(args: string[], options: RunOptions = {}): Run {
    const run = new Run(args, { ...options, cwd: this.folder });
    this.runs.push(run);
    return run;
  }

  /** Ends what a test that failed left running. */
  async remove(): Promise<void> {
    for (const { child } of this.runs) child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
}

/** A process whose output is kept. */
export class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(args: string[], { env, ...options }: RunOptions & { cwd: string }) {
    this.child = spawn(process.execPath, args, {
      ...options,
      env: { ...environmentOfAUser(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => void (this.stdout += chunk.toString()));
    this.child.stderr?.on("data", (chunk: Buffer) => void (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Waits for a whole line on stdout. */
  async firstLine(): Promise<string> {
    let hasEnded = false;
    void this.ended.then(() => (hasEnded = true));
    await until(() => this.stdout.includes("\n") || hasEnded);
    if (!this.stdout.includes("\n")) throw new Error(`It said nothing, and ended with:\n${this.stderr}`);
    return this.stdout.split("\n")[0]!;
  }
}

/** Waits until something is so; for what other processes do, which tell nobody. */
export async function until(isSo: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`It did not come about within ${withinMs} ms: ${isSo.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function environmentOfAUser(): NodeJS.ProcessEnv {
  const taken = /^(DATABASE_URL$|PG|npm_|NODE_V8_COVERAGE$|NODE_OPTIONS$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !taken.test(name)));
}
