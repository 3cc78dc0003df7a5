import { expect } from "chai";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { readFile, readdir, rm, stat } from "node:fs/promises";
import { Checkout } from "./checkout.js";

/** Given, so that a test of something else does not wait for a server. */
const ELSEWHERE = { DATABASE_URL: "postgres://me@db.example/app" };
const MAIN = "examples/countries/main";
const REPORT = `console.log(JSON.stringify({ args: process.argv.slice(2), url: process.env["DATABASE_URL"] }));\n`;

describe("the bootstrap of a checkout", function () {
  this.timeout(60_000);
  let checkout: Checkout;
  beforeEach(async () => void (checkout = await Checkout.make()));
  afterEach(() => checkout.remove());

  const run = (...args: string[]) => checkout.node(["dev/run.mjs", ...args], { env: ELSEWHERE }).ended;

  describe("with everything installed", () => {
    beforeEach(() => checkout.useInstalledPackages());

    it("builds, runs the target with its arguments, and ends with its exit code", async () => {
      await checkout.write(`${MAIN}.ts`, `${REPORT}process.exitCode = 7;\n`);
      const { code, stdout, stderr } = await run("start", "--fast", "a b");
      expect(JSON.parse(stdout)).to.deep.equal({ args: ["--fast", "a b"], url: ELSEWHERE.DATABASE_URL });
      expect(stderr).to.equal("building …\n");
      expect(code).to.equal(7);
    });

    it("builds nothing again until a source changes", async () => {
      await checkout.write(`${MAIN}.ts`, REPORT);
      await run("start");
      const built = await stat(checkout.path(`dist/${MAIN}.js`));
      const again = await run("start");
      expect(again.stderr).to.equal("");
      expect((await stat(checkout.path(`dist/${MAIN}.js`))).mtimeMs).to.equal(built.mtimeMs);

      await checkout.write(`${MAIN}.ts`, `console.log("changed");\n`);
      const changed = await run("start");
      expect(changed.stdout).to.equal("changed\n");
      expect(changed.stderr).to.equal("building …\n");
    });

    it("builds again where an output is missing", async () => {
      await checkout.write(`${MAIN}.ts`, REPORT);
      await run("build");
      await rm(checkout.path(`dist/${MAIN}.js`));
      expect((await run("start")).code).to.equal(0);
    });

    it("removes what a deleted source left behind", async () => {
      await checkout.write(`${MAIN}.ts`, REPORT);
      await checkout.write("src/old/gone.ts", "export const gone = 1;\n");
      await run("build");
      expect(await readdir(checkout.path("dist/src/old"))).to.have.members(["gone.js", "gone.js.map", "gone.d.ts"]);
      await rm(checkout.path("src/old/gone.ts"));
      await run("build");
      expect(await readdir(checkout.path("dist/src/old"))).to.deep.equal([]);
      expect(existsSync(checkout.path(`dist/${MAIN}.js`))).to.equal(true);
    });

    it("tells the compiler's errors alone, and runs nothing", async () => {
      await checkout.write(`${MAIN}.ts`, `export const count: number = "one";\n`);
      for (const attempt of ["first", "second"]) {
        const { code, stdout, stderr } = await run("start");
        expect(stderr, attempt).to.match(/^building …\nexamples.*TS2322.*\nThe build failed \(\d\)\.\n$/);
        expect({ code, stdout }, attempt).to.deep.equal({ code: 1, stdout: "" });
      }
    });

    it("names the target that is not there", async () => {
      await run("build");
      const { code, stderr } = await run("bench");
      expect(stderr).to.equal("There is no dist/bench/main.js to run.\n");
      expect(code).to.equal(1);
    });

    it("lets two runs in one folder build after each other", async () => {
      await checkout.write(`${MAIN}.ts`, REPORT);
      const both = await Promise.all([run("start"), run("start")]);
      expect(both.map(({ code }) => code)).to.deep.equal([0, 0]);
      expect(both.map(({ stdout }) => JSON.parse(stdout).url)).to.deep.equal(Array(2).fill(ELSEWHERE.DATABASE_URL));
      expect(both.filter(({ stderr }) => stderr.includes("building"))).to.have.lengthOf(1);
      expect(await readdir(checkout.path(".bootstrap"))).to.deep.equal([]);
    });

    it("starts a PostgreSQL where none is given, and stops it after the target, however that ends", async () => {
      await checkout.write(
        `${MAIN}.ts`,
        `process.on("SIGTERM", () => { console.log("asked to stop"); process.exit(5); });
setInterval(() => {}, 1000);
${REPORT}`,
      );
      const started = checkout.node(["dev/run.mjs", "start"]);
      const { url } = JSON.parse(await started.firstLine()) as { url: string };
      expect(url).to.match(/^postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres$/);
      const exited = once(started.child, "exit");
      started.child.kill("SIGTERM");
      await exited;
      expect(await refusesConnections(Number(new URL(url).port)), "the server is gone first").to.equal(true);
      const { code, stdout, stderr } = await started.ended;
      expect(stdout).to.match(/\nasked to stop\n$/);
      expect(stderr).to.match(/^building …\nstarting PostgreSQL \d+\.\d+ \(\w+\) …\n$/);
      expect(code).to.equal(5);
    });
  });

  describe("with nothing installed", () => {
    /** Stands in for npm: notes how it was called, and "installs" what the lock file says. */
    const npm = async (exitCode = 0) => {
      await checkout.write(
        "npm-cli.js",
        `const fs = require("fs");
fs.appendFileSync("calls", process.argv.slice(2).join(" ") + "\\n");
fs.mkdirSync("node_modules/typescript/bin", { recursive: true });
fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json");
fs.writeFileSync("node_modules/typescript/bin/tsc", "");
process.exit(${exitCode});`,
      );
      await rm(checkout.path("package.json"));
      await checkout.write("package.json", `{ "engines": { "node": ">=20.0" } }`);
      await rm(checkout.path("dev/binaries"), { recursive: true });
      const env = { ...ELSEWHERE, npm_execpath: checkout.path("npm-cli.js") };
      return () => checkout.node(["dev/run.mjs", "build"], { env }).ended;
    };
    const calls = async () => (await readFile(checkout.path("calls"), "utf8")).trim().split("\n");

    it("installs once, and again when the lock file changes", async () => {
      const build = await npm();
      expect((await build()).stderr).to.match(/^installing dependencies \(once\) …\nbuilding …\n/);
      await build();
      expect(await calls()).to.have.lengthOf(1);
      expect((await calls())[0]).to.match(/^ci .*--ignore-scripts/);

      const lock = await readFile(checkout.path("package-lock.json"), "utf8");
      await checkout.write(
        "package-lock.json",
        lock.replace(/("node_modules\/mocha": \{\s*"version": )"[^"]+"/, '$1"0.0.1"'),
      );
      await build();
      expect(await calls()).to.have.lengthOf(2);
    });

    it("takes what npm install left for installed", async () => {
      const build = await npm();
      await build();
      await rm(checkout.path("node_modules/.installed-by-bootstrap"));
      await build();
      expect(await calls()).to.have.lengthOf(1);
    });

    it("says so when npm fails, and builds nothing", async () => {
      const build = await npm(3);
      const { code, stderr } = await build();
      expect(stderr).to.equal("installing dependencies (once) …\nnpm ci failed (3).\n");
      expect(code).to.equal(1);
    });

    it("refuses a Node that the package does not run on", async () => {
      await checkout.write("package.json", `{ "engines": { "node": "^18.1 || >=99.0" } }`);
      const { code, stderr } = await run("build");
      expect(stderr).to.equal(`This needs Node ^18.1 || >=99.0, and this is Node ${process.versions.node}.\n`);
      expect(code).to.equal(1);
    });
  });
});

function refusesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });
}
