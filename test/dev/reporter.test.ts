import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../dev/bootstrap/root.mjs";
import { Run } from "./checkout.js";

const REPORTER = fileURLToPath(new URL("../reporter.js", import.meta.url));

describe("the report of a test run", function () {
  this.timeout(30_000);
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-report-"))));
  afterEach(() => rm(folder, { recursive: true }));

  const report = async (tests: string) => {
    await writeFile(join(folder, "a.test.mjs"), tests);
    const mocha = join(ROOT, "node_modules/mocha/bin/mocha.js");
    const { code, stdout, stderr } = await new Run([mocha, "--reporter", REPORTER, "a.test.mjs"], { cwd: folder })
      .ended;
    return { code, last: stdout.trimEnd().split("\n").at(-1), stderr };
  };

  it("ends with the count alone on a line", async () => {
    expect(await report(`it("a", () => {}); it("b", () => {}); it("to do");`)).to.deep.equal({
      code: 0,
      last: "2 passed, 0 failed",
      stderr: "",
    });
  });

  it("counts what failed", async () => {
    const { code, last } = await report(`it("a", () => {}); it("b", () => { throw new Error("no"); });`);
    expect({ code, last }).to.deep.equal({ code: 1, last: "1 passed, 1 failed" });
  });

  it("counts a hook that failed", async () => {
    const { code, last } = await report(`before(() => { throw new Error("no"); }); it("a", () => {});`);
    expect({ code, last }).to.deep.equal({ code: 1, last: "0 passed, 1 failed" });
  });

  it("takes a run without any test for failed", async () => {
    for (const tests of ["", `it("to do");`, `it.skip("a", () => {});`]) {
      const { code, last } = await report(tests);
      expect({ code, last }, tests).to.deep.equal({ code: 1, last: "0 passed, 0 failed" });
    }
  });
});
