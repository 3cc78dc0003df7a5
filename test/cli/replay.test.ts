import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { readLiveRows } from "../live-rows.js";
import { command, json } from "./command.js";
import { chronicle, chronicleOnTerminal, type Ended } from "./process.js";

describe("the command chronicle, for the way back", function () {
  this.timeout(120_000);
  const cli = command();
  const { run, history } = cli;

  describe("replay", () => {
    cli.withApplication("each test", history);

    it("to a point in time, without asking where it is told so, makes the tables what they were", async () => {
      const { code, stdout } = await run("replay", "--to", "bookmark:both_open", "--yes");
      expect(code).to.equal(0);
      expect(stdout).to.include("1 row inserted, 1 updated, 0 deleted, 0 kept.");
      expect(await cli.application.query("select id, name, balance from account order by id")).to.deep.equal([
        { id: 1, name: "Ada", balance: "0" },
        { id: 2, name: "Grace", balance: "0" },
      ]);
      expect((await cli.application.log.verify()).equal).to.equal(true);
    });

    it("with --dry-run writes nothing and says what it would do", async () => {
      const rows = await readLiveRows(cli.application.database.url);
      const { code, stdout } = await run("replay", "--to", "bookmark:both_open", "--dry-run");
      expect(code).to.equal(0);
      expect(stdout).to.include("if it were run now");
      expect(stdout).to.match(/│ Account │ create +│ 1 +│ 2 +│ direct/);
      expect(json(await run("replay", "--dry-run", "--json"))).to.deep.include({ events: 4, drift: 0 });
      expect(await readLiveRows(cli.application.database.url)).to.deep.equal(rows);
      expect(await cli.application.countEvents()).to.equal(4);
    });

    it("refuses without a terminal to ask on", async () => {
      const { code, stdout, stderr } = await run("replay", "--to", "bookmark:both_open");
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
      expect(stderr).to.equal("A replay changes live tables: pass --yes, or look first with --dry-run.\n");
      expect(await cli.application.countEvents()).to.equal(4);
    });

    const answers = [
      ["Enter", "\n", 4, 0],
      ["no", "n\n", 4, 0],
      ["the end of the input", "\u0004", 4, 0],
      ["Ctrl-C", "\u0003", 4, 130],
      ["yes", "yes\n", 6, 0],
    ] as const;
    for (const [name, typed, events, exitCode] of answers) {
      it(`asks on a terminal, and takes ${name} for ${events === 4 ? "no" : "yes"}`, async function () {
        if (spawnSync("script", ["-qec", "true", "/dev/null"]).status !== 0) this.skip();
        const args = ["-d", cli.dataSource, "replay", "--to", "bookmark:both_open"];
        const { code, stdout } = await chronicleOnTerminal(args, typed, cli.application.database.url);
        expect(code, stdout).to.equal(exitCode);
        expect(stdout).to.include("1 row inserted, 1 updated, 0 deleted, 0 kept if it were run now.");
        expect(stdout).to.include("Replay to bookmark:both_open? [y/N]");
        if (events === 4) expect(stdout).to.include("Nothing was changed.");
        expect(await cli.application.countEvents()).to.equal(events);
      });
    }

    it("tells steps as lines where there is no terminal, on stderr", async () => {
      const { stderr } = await run("replay", "--yes");
      const lines = stderr.trimEnd().split("\n");
      expect(lines).to.have.length.greaterThan(1);
      lines.forEach((line, index) => expect(line).to.match(new RegExp(`^${index + 1}/${lines.length} \\S`)));
    });

    it("stops at Ctrl-C, with the tables as they were", async () => {
      await cli.application.query("insert into account select g, repeat('x', 50) from generate_series(10, 20000) g");
      await cli.application.query("update account set balance = 1");
      const rows = await readLiveRows(cli.application.database.url);
      // A writer that does not end keeps the replay from its locks, so that it is under way when it is stopped.
      await cli.application.query("begin; update account set balance = 2 where id = 1");
      const { code, stderr } = await chronicle(
        ["-d", cli.dataSource, "replay", "--to", "bookmark:both_open", "--yes"],
        {
          url: cli.application.database.url,
          onStart: (child) => child.stderr?.once("data", () => child.kill("SIGINT")),
        },
      );
      await cli.application.query("rollback");
      expect(code).to.equal(130);
      expect(stderr).to.match(/REPLAY_ABORTED: The replay was aborted\./);
      expect(await readLiveRows(cli.application.database.url)).to.deep.equal(rows);
    });

    it("keeps, deletes or refuses rows that the log does not know", async () => {
      await cli.application.query("alter table account disable trigger all");
      await cli.application.query("insert into account values (9, 'unknown')");
      await cli.application.query("alter table account enable trigger all");
      const refused = await run("replay", "--yes");
      expect(refused.code).to.equal(1);
      expect(refused.stderr).to.match(/^REPLAY_UNKNOWN_ROWS: The log does not know 1 row of Account\./m);
      expect(refused.stderr).not.to.match(/^ +at /m);
      expect((await run("replay", "--yes", "--unknown-rows", "keep")).code).to.equal(0);
      expect(await cli.application.value("select count(*) from account where id = 9")).to.equal("1");
      expect((await run("replay", "--yes", "--unknown-rows", "delete")).code).to.equal(0);
      expect(await cli.application.value("select count(*) from account where id = 9")).to.equal("0");
      expect((await run("replay", "--yes", "--unknown-rows", "other")).code).to.equal(2);
    });
  });

  describe("shadow", () => {
    cli.withApplication("each test", history);

    it("builds the tables as they were beside the live ones, and drops them when it is told so", async () => {
      const live = await readLiveRows(cli.application.database.url, { logSchema: "chronicle" });
      const made = await run("shadow", "--to", "bookmark:both_open", "--json");
      expect(made).to.include({ code: 0, stderr: "" });
      expect(json(made)).to.deep.include({ schema: "chronicle_shadow" });
      expect(
        await cli.application.query("select id, name, balance from chronicle_shadow.account order by id"),
      ).to.deep.equal([
        { id: 1, name: "Ada", balance: "0" },
        { id: 2, name: "Grace", balance: "0" },
      ]);
      expect(json(await run("shadow", "--drop", "--json"))).to.deep.equal({
        schema: "chronicle_shadow",
        dropped: true,
      });
      expect(await readLiveRows(cli.application.database.url)).to.deep.equal(live);
      expect(json(await run("shadow", "--drop", "--json"))).to.deep.equal({
        schema: "chronicle_shadow",
        dropped: false,
      });
    });

    describe("while it is being made", () => {
      const left = "select nspname from pg_namespace where nspname like 'chronicle_shadow%'";
      /** Stops it while it builds an index, which waits for a lock that is held here. */
      async function stopped(signal: NodeJS.Signals): Promise<Ended> {
        await cli.application.query(`create function waits(id integer) returns integer language plpgsql immutable as
          'begin perform pg_advisory_xact_lock_shared(42); return id; end'; create index on account (waits(id)); select pg_advisory_lock(42)`);
        const ended = await chronicle(["-d", cli.dataSource, "shadow"], {
          url: cli.application.database.url,
          onStart: (child) => child.stderr?.once("data", () => child.kill(signal)),
        });
        expect(ended.stderr).to.match(/^1\/3 fold Account$/m);
        return ended;
      }

      it("stops at Ctrl-C and leaves nothing", async () => {
        const { code, stderr } = await stopped("SIGINT");
        expect(stderr).to.match(/^REPLAY_ABORTED: /m);
        expect(code).to.equal(130);
        expect(await cli.application.query(left)).to.deep.equal([]);
      });

      it("leaves what status names when it is killed, which the next one replaces and --drop drops", async () => {
        expect((await stopped("SIGKILL")).code).to.equal(null);
        expect(await cli.application.query(left)).to.have.length(1);
        const { code, stdout } = await run("status");
        expect({ code, names: stdout.includes("what is left of one, in the schema chronicle_shadow") }).to.deep.equal({
          code: 0,
          names: true,
        });
        await cli.application.query("select pg_advisory_unlock(42)");
        expect(await run("shadow")).to.include({ code: 0 });
        expect(await cli.application.query("select id from chronicle_shadow.account")).to.deep.equal([{ id: 1 }]);
        expect((await run("shadow", "--drop")).code).to.equal(0);
        expect((await cli.application.log.status()).advice.join()).not.to.include("shadow");
      });
    });

    it("never drops a schema that is no shadow", async () => {
      const { code, stderr } = await run("shadow", "--drop", "--schema", "public");
      expect({ code, stderr }).to.deep.equal({ code: 2, stderr: "The schema public is no shadow.\n" });
      expect((await run("shadow", "--schema", "public")).code).to.equal(2);
      expect(await cli.application.value("select count(*) from public.account")).to.equal("1");
    });
  });
});
