import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventLog } from "../../src/index.js";
import { readLiveRows } from "../live-rows.js";
import { Account, command, json } from "./command.js";
import { chronicle, chronicleOnTerminal, type Ended } from "./process.js";

describe("the command chronicle", function () {
  this.timeout(120_000);
  const cli = command();
  const { run, history } = cli;

  describe("install and status", () => {
    cli.withApplication("each test");

    it("set up the log in a database without one, once", async () => {
      await cli.application.query("drop schema chronicle cascade");
      const before = await run("status");
      expect(before.code).to.equal(1);
      expect(before.stdout).to.include("NOT_INSTALLED");
      const first = await run("install", "--json");
      expect(first).to.include({ code: 0, stderr: "" });
      expect(json(first)).to.deep.include({ changed: true, tables: ["public.account"] });
      expect(json(await run("install", "--json"))).to.deep.include({ changed: false });
      const after = await run("status", "--json");
      expect(after.code).to.equal(0);
      expect(json(after)).to.deep.include({ installed: true, position: "0", findings: [] });
      await history();
      expect(await cli.application.countEvents()).to.equal(4);
    });

    it("give roles what they need", async () => {
      const roles = ["chronicle cli app", "chronicle cli reader"];
      for (const role of roles) await cli.application.query(`create role "${role}"`);
      try {
        const { code } = await run("install", "--grant-to", roles[0]!, "--grant-read-to", roles[1]!);
        expect(code).to.equal(0);
        const may = (role: string, table: string) =>
          cli.application.value<boolean>("select has_table_privilege($1, $2, 'select')", [role, table]);
        expect(await may(roles[0]!, "chronicle.gate")).to.equal(true);
        expect(await may(roles[0]!, "chronicle.event")).to.equal(false);
        expect(await may(roles[1]!, "chronicle.event")).to.equal(true);
      } finally {
        for (const role of roles) await cli.application.query(`drop owned by "${role}"; drop role "${role}"`);
      }
    });

    it("come as a migration file too, which is never written over another", async () => {
      const file = join(cli.modules.folder, "1700000000000-event-log.mjs");
      expect(json(await run("migration", file, "--json"))).to.deep.equal({ file });
      const text = await readFile(file, "utf8");
      expect(text).to.include("class InstallEventLog1700000000000").and.to.include(".install(");
      expect((await run("migration", file)).code).to.equal(2);
      expect(await readFile(file, "utf8")).to.equal(text);
    });

    it("say with exit code 1 what is missing", async () => {
      await cli.application.query("alter table account disable trigger all");
      const { code, stdout } = await run("status");
      expect(code).to.equal(1);
      expect(stdout).to.match(/INSTALL_STALE: Capture triggers of Account/);
    });
  });

  describe("events and history", () => {
    cli.withApplication("each test", history);

    it("print a line for each event", async () => {
      const { code, stdout, stderr } = await run("events");
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
      const lines = stdout.trimEnd().split("\n");
      expect(lines).to.have.length(4);
      expect(lines[2]).to.match(/^\d+ {2}\S+Z {2}update {2}Account 1 {2}- {2}\{"balance":"10\.50"\}$/);
    });

    it("print as JSON what the handle gives", async () => {
      const wanted: unknown[] = [];
      for await (const event of cli.application.log.events()) wanted.push(JSON.parse(JSON.stringify(event)));
      expect(wanted).to.have.length(4);
      expect(json(await run("events", "--json"))).to.deep.equal(wanted);
      const ofOne = await cli.application.log.history(Account, 1);
      expect(json(await run("history", "Account", "1", "--json"))).to.deep.equal(JSON.parse(JSON.stringify(ofOne)));
      expect(json(await run("events", "--json", "--actor", "nobody"))).to.deep.equal([]);
    });

    it("let through only what is asked for", async () => {
      const filters: [string, string[]][] = [
        ["--entity Account --record 2", ["create 2", "destroy 2"]],
        ['--entity Account --record {"id":1} --actor user', ["create 1"]],
        ["--actor user:a:1 --limit 1", ["create 1"]],
        ["--actor user:2", []],
        ["--from bookmark:both_open", ["update 1", "destroy 2"]],
        ["--to bookmark:both_open", ["create 1", "create 2"]],
      ];
      for (const [args, wanted] of filters) {
        const found = await run("events", "--json", ...args.split(" "));
        const events = json<{ action: string; recordId: { id: number } }[]>(found);
        expect(
          events.map(({ action, recordId }) => `${action} ${recordId.id}`),
          args,
        ).to.deep.equal(wanted);
      }
    });

    it("take a position and a time as points", async () => {
      const [first] = json<{ position: string; occurredAt: string }[]>(await run("events", "--json"));
      // Both accounts were opened by one statement: a part of a transaction is never cut off.
      const { position } = json<{ position: string }[]>(
        await run("events", "--json", "--entity", "Account", "--record", "2"),
      )[0]!;
      expect(json(await run("events", "--json", "--to", `${position}n`))).to.have.length(2);
      expect(json(await run("events", "--json", "--to", new Date().toISOString()))).to.have.length(4);
      expect(await run("events", "--to", first!.position)).to.have.property("code", 2);
    });

    it("never print control characters of others to a terminal", async () => {
      await cli.application.dataSource
        .getRepository(Account)
        .insert({ id: 3, name: "\u001b[2J\u009b1m\u202ereversed" });
      for (const args of [["events"], ["history", "Account", "3"]]) {
        const { stdout } = await run(...args);
        expect(stdout).to.match(/\\u001b\[2J/);
        // oxlint-disable-next-line no-control-regex -- which is what this is about
        expect(stdout).not.to.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      }
    });

    it("end quietly when the reader of a pipe has seen enough", async () => {
      await cli.application.query("insert into account select g, repeat('x', 200) from generate_series(10, 5000) g");
      const line = `"${process.execPath}" dist/src/cli/main.js -d "${cli.dataSource}" events | head -n 1; exit \${PIPESTATUS[0]}`;
      const { status, stderr, stdout } = spawnSync("bash", ["-c", line], {
        encoding: "utf8",
        env: { ...process.env, DATABASE_URL: cli.application.database.url },
      });
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
      expect(stdout.split("\n")).to.have.length(2);
    });
  });

  describe("events --export", () => {
    cli.withApplication("all tests", history);

    it("writes JSON Lines that are what the handle gives", async () => {
      const file = join(cli.modules.folder, "events.jsonl");
      const { code, stdout } = await run("events", "--export", file);
      expect({ code, stdout }).to.deep.equal({ code: 0, stdout: `4 events written to ${file}.\n` });
      const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
      const wanted: unknown[] = [];
      for await (const event of cli.application.log.events()) wanted.push(JSON.parse(JSON.stringify(event)));
      expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal(wanted);
    });

    it("writes CSV in which no cell is a formula", async () => {
      const file = join(cli.modules.folder, "events.csv");
      expect(json(await run("events", "--export", file, "--json"))).to.deep.equal({ file, events: 4 });
      const [head, first, ...rest] = (await readFile(file, "utf8")).trimEnd().split("\n");
      expect(head).to.match(/^position,occurredAt,entity,recordId,action,.*,metadata,data,previous$/);
      expect(first).to.include(`,Account,"{""id"":1}",create,,1,user,a:1,'=cmd|' /C calc'!A0,`);
      expect(rest).to.have.length(3);
    });

    it("leaves no file behind where it fails", async () => {
      const folder = await readdir(cli.modules.folder);
      expect(
        await run("events", "--export", join(cli.modules.folder, "x.csv"), "--entity", "Nothing", "--record", "1"),
      ).to.have.property("code", 2);
      expect(await run("events", "--export", join(cli.modules.folder, "events.xlsx"))).to.deep.include({
        code: 2,
        stdout: "",
      });
      expect(await readdir(cli.modules.folder)).to.deep.equal(folder);
    });
  });

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

  describe("verify, baseline and bookmark", () => {
    cli.withApplication("each test");

    it("compare, and end with exit code 1 where the tables are not what the log says", async () => {
      await history();
      const equal = await run("verify");
      expect(equal).to.include({ code: 0, stderr: "" });
      expect(equal.stdout).to.include("The tables are what the log says.");
      await cli.application.query(
        "alter table account disable trigger all; update account set name = 'x'; alter table account enable trigger all",
      );
      const different = await run("verify");
      expect(different.code).to.equal(1);
      expect(different.stdout).to.match(/1 row differ:[^]*│ Account │ {"id":1} │ different │ name/);
      const report = await run("verify", "--json");
      expect(report.code).to.equal(1);
      expect(json(report)).to.deep.include({
        equal: false,
        counts: { missing: 0, unexpected: 0, different: 1, erased: 0 },
      });
    });

    it("record rows that were there before", async () => {
      await cli.application.query("alter table account disable trigger all");
      await cli.application.query("insert into account select g, 'old' from generate_series(1, 1500) g");
      await cli.application.query("alter table account enable trigger all");
      expect(json(await run("baseline", "--json"))).to.deep.equal({ rows: 1500 });
      const { stdout, stderr } = await run("baseline", "--entity", "Account");
      expect(stdout).to.equal("Recorded 0 rows.\n");
      expect(stderr).to.match(/^(?:0 rows, at Account\n)+$/);
      expect((await cli.application.log.verify()).equal).to.equal(true);
    });

    it("name this moment, once", async () => {
      await history();
      const { position } = await eventLog(cli.application.dataSource).status();
      expect(json(await run("bookmark", "before import", "--json"))).to.deep.equal({
        name: "before import",
        position: String(position),
      });
      const again = await run("bookmark", "before import");
      expect(again).to.deep.include({ code: 1, stdout: "" });
      expect(again.stderr).to.match(/^BOOKMARK_EXISTS: .*\n$/);
    });

    it("divide the log and let its oldest part go, when told yes", async () => {
      await history();
      const begun = await run("partition");
      expect(begun.stdout).to.equal("Events go to event_1 from position 1000000000000 on.\n");
      const since = new Date(Date.now() + 60_000).toISOString();
      expect(await run("retain", "--since", since)).to.deep.include({ code: 2, stdout: "" });
      expect((await run("retain", "--since", since, "--dry-run")).stdout).to.match(
        /^Would drop event_0 with \d+ events; /,
      );
      const before = await cli.application.countEvents();
      const report = json(await run("retain", "--since", since, "--yes", "--json"));
      expect(report).to.deep.include({ dropped: ["event_0"], events: before, knownFrom: "999999999999" });
      expect((await run("retain", "--since", since, "--yes")).stdout).to.equal("No partition is old enough.\n");
      expect((await cli.application.log.verify()).equal).to.equal(true);
    });
  });
});
