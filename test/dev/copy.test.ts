import { expect } from "chai";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Run } from "./checkout.js";

const COPY = fileURLToPath(new URL("../../dev/postgres/copy.mjs", import.meta.url));

describe("the copy of PostgreSQL's binaries", () => {
  let folder: string;
  let tmp: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-copy-"));
    tmp = join(folder, "tmp");
    await mkdir(tmp);
    await mkdir(join(folder, "native/bin"), { recursive: true });
    await writeFile(join(folder, "native/bin/postgres"), "binary", { mode: 0o700 });
    await chmod(join(folder, "native/bin"), 0o700);
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** In a process of its own, as starts are, whose temporary folder is the test's. */
  const copy = async () => {
    const script = `import { cachedCopy } from ${JSON.stringify(COPY)}; console.log(cachedCopy("native", null));`;
    const run = new Run(["--input-type=module", "-e", script], { cwd: folder, env: { TMPDIR: tmp } });
    const { stdout, stderr } = await run.ended;
    expect(stderr).to.equal("");
    return stdout.trim();
  };

  it("can be run by everybody and changed by its owner alone", async () => {
    const made = await copy();
    for (const path of ["", "bin", "bin/postgres"]) {
      expect((await stat(join(made, path))).mode & 0o777, path).to.equal(0o755);
    }
  });

  it("is made once for starts at the same time and after", async () => {
    const made = await Promise.all([copy(), copy(), copy()]);
    expect(new Set([...made, await copy()]).size).to.equal(1);
    expect(await readdir(tmp)).to.deep.equal([basename(made[0])]);
  });

  it("is made again where a cleaner of temporary files took something out", async () => {
    const made = await copy();
    await rm(join(made, "bin/postgres"));
    expect(await copy()).to.equal(made);
    expect(await readFile(join(made, "bin/postgres"), "utf8")).to.equal("binary");
    expect(await readdir(tmp)).to.deep.equal([basename(made)]);
  });

  it("is made again where others could have written to it", async () => {
    const made = await copy();
    await writeFile(join(made, "bin/postgres"), "malice");
    await chmod(made, 0o777);
    expect(await copy()).to.equal(made);
    expect(await readFile(join(made, "bin/postgres"), "utf8")).to.equal("binary");
  });

  it("is another one for other binaries", async () => {
    const made = await copy();
    await writeFile(join(folder, "native/bin/postgres"), "newer binary");
    expect(await copy()).not.to.equal(made);
  });
});
