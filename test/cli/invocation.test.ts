import { expect } from "chai";
import { readLiveRows } from "../live-rows.js";
import { command, json } from "./command.js";
import { chronicle } from "./process.js";

describe("how the command chronicle is called", function () {
  this.timeout(120_000);
  const cli = command();
  const { run, history } = cli;

  describe("its arguments", () => {
    cli.withApplication("all tests", history);

    const wrong: Record<string, string[]> = {
      "an unknown command": ["rewrite"],
      "a missing argument": ["history", "Account"],
      "a limit that is no number": ["events", "--limit", "ten"],
      "a record without its entity": ["events", "--record", "1"],
      "a record that is no JSON": ["history", "Account", "{id: 1}"],
      "an entity that is not tracked": ["history", "Invoice", "1"],
      "a point that is none": ["events", "--to", "yesterday"],
      "a bookmark that is not there": ["replay", "--dry-run", "--to", "bookmark:nowhere"],
    };
    for (const [what, args] of Object.entries(wrong)) {
      it(`are refused with a sentence and exit code 2: ${what}`, async () => {
        const { code, stdout, stderr } = await run(...args);
        expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
        expect(stderr).to.match(/^\S.+\n/);
        expect(stderr).not.to.match(/^ +at /m);
      });
    }

    it("are told as JSON beside --json", async () => {
      const { code, stdout, stderr } = await run("history", "Invoice", "1", "--json");
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
      expect((JSON.parse(stderr) as { error: { code: string } }).error.code).to.equal("NOT_TRACKED");
    });

    it("have a help that lists every command, and for each what it takes", async () => {
      const { code, stdout } = await chronicle(["--help"]);
      expect(code).to.equal(0);
      const commands = [
        "install",
        "migration",
        "status",
        "events",
        "history",
        "replay",
        "shadow",
        "verify",
        "baseline",
        "bookmark",
        "partition",
        "retain",
      ];
      for (const command of commands) expect(stdout).to.match(new RegExp(`^  ${command}\\b`, "m"));
      const help = await chronicle(["replay", "--help"]);
      expect(help.code).to.equal(0);
      for (const part of ["--to <point>", "bookmark:", "--data-source <file>", "--json"])
        expect(help.stdout).to.include(part);
    });

    it("are none: exit code 2, with the help", async () => {
      const { code, stderr } = await chronicle([]);
      expect(code).to.equal(2);
      expect(stderr).to.include("Usage: chronicle");
    });
  });

  describe("its DataSource", () => {
    cli.withApplication("all tests", history);

    const asked = async (file: string, ...args: string[]) =>
      chronicle(["-d", file, "status", ...args], { url: cli.application.database.url });

    const good: Record<string, [string, string]> = {
      "by both at once": ["both.mjs", "export const one = new DataSource(withEventLog(options)); export default one;"],
      "by a promise": ["promise.mjs", "export default Promise.resolve(new DataSource(withEventLog(options)));"],
      "by default, from CommonJS": ["default.cjs", "module.exports = new DataSource(withEventLog(options));"],
      "as TypeScript compiles a default to CommonJS": [
        "typescript.cjs",
        "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = new DataSource(withEventLog(options));",
      ],
      "initialized already": [
        "initialized.mjs",
        "export const dataSource = await new DataSource(withEventLog(options)).initialize();",
      ],
    };
    for (const [what, [name, text]] of Object.entries(good)) {
      it(`may be exported ${what}`, async () => {
        const ended = await asked(await cli.modules.write(name, text), "--json");
        expect(ended).to.include({ code: 0, stderr: "" });
        expect(json(ended)).to.deep.include({ installed: true });
      });
    }

    const bad: Record<string, [string, string, RegExp]> = {
      "is not there": ["none.mjs", "export const answer = 42;", /exports no DataSource/],
      "is one of several": [
        "two.mjs",
        "export const one = new DataSource(options), two = new DataSource(options);",
        /several DataSources/,
      ],
      "was not made with withEventLog": [
        "plain.mjs",
        "export const dataSource = new DataSource(options);",
        /^NOT_ATTACHED: .*withEventLog/,
      ],
      "throws when it is loaded": ["throws.mjs", "throw new Error('no settings');", /cannot be loaded: no settings/],
    };
    for (const [what, [name, text, sentence]] of Object.entries(bad)) {
      it(`is refused with exit code 2 where it ${what}`, async () => {
        const { code, stdout, stderr } = await asked(await cli.modules.write(name, text));
        expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
        expect(stderr).to.match(sentence);
        expect(stderr.trimEnd().split("\n")).to.have.length(1);
      });
    }

    it("has to be named", async () => {
      const { code, stderr } = await chronicle(["status"]);
      expect({ code, stderr }).to.deep.equal({
        code: 2,
        stderr: "Which DataSource? Pass its compiled module: -d dist/ormconfig.js\n",
      });
      expect((await chronicle(["-d", "nowhere.js", "status"])).stderr).to.match(/^There is no file .*nowhere\.js\./);
    });

    it("that cannot be reached is exit code 1, with the reason", async () => {
      const { code, stderr } = await chronicle(["-d", cli.dataSource, "status"], {
        url: "postgres://nobody@127.0.0.1:1/none",
      });
      expect(code).to.equal(1);
      expect(stderr).to.match(/^ECONNREFUSED: connect ECONNREFUSED/);
    });

    it("is opened without its synchronize, dropSchema, migrations and logging", async () => {
      const file = await cli.modules.write(
        "dangerous.mjs",
        `class Ruin1700000000000 { async up(runner) { await runner.query("drop table account"); } async down() {} }
         export default new DataSource(withEventLog({ ...options, synchronize: true, dropSchema: true, migrationsRun: true, migrations: [Ruin1700000000000], logging: true }));`,
      );
      const rows = await readLiveRows(cli.application.database.url);
      expect(json(await asked(file, "--json"))).to.deep.include({ installed: true });
      expect(await readLiveRows(cli.application.database.url)).to.deep.equal(rows);
    });
  });
});
