import { expect } from "chai";
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "../../dev/bootstrap/lock.mjs";
import { Run } from "./checkout.js";

const LOCK = fileURLToPath(new URL("../../dev/bootstrap/lock.mjs", import.meta.url));

describe("the lock of a checkout", function () {
  this.timeout(30_000);
  let folder: string;
  let lock: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-lock-"));
    lock = join(folder, "lock");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("lets one process at a time do its work", async () => {
    const script = `
import { withLock } from ${JSON.stringify(LOCK)};
import { appendFileSync } from "node:fs";
await withLock(async () => {
  appendFileSync("work", "from ");
  await new Promise((resolve) => setTimeout(resolve, 50));
  appendFileSync("work", "to\\n");
}, { file: "lock" });`;
    // A dead holder's lock to begin with: all of them find it stale at once.
    await writeFile(lock, "999999999 dead");
    const runs = Array.from({ length: 8 }, () => new Run(["--input-type=module", "-e", script], { cwd: folder }));
    for (const run of runs) expect((await run.ended).code).to.equal(0);
    expect(await readFile(join(folder, "work"), "utf8")).to.equal("from to\n".repeat(8));
    expect(await readdir(folder)).to.deep.equal(["work"]);
  });

  it("is released by work that fails", async () => {
    await withLock(() => Promise.reject(new Error("no")), { file: lock }).catch(() => {});
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("is taken from a holder that shows no life, though its process id is in use again", async () => {
    await writeFile(lock, `${process.pid} before`);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    expect(await withLock(() => Promise.resolve("done"), { file: lock })).to.equal("done");
  });

  it("waits for a holder that lives", async () => {
    await writeFile(lock, `${process.pid} alive`);
    const said: string[] = [];
    const waiting = withLock(() => Promise.resolve(said.push("done")), { file: lock, onWait: () => said.push("wait") });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(said).to.deep.equal(["wait"]);
    await rm(lock);
    await waiting;
    expect(said).to.deep.equal(["wait", "done"]);
  });
});
