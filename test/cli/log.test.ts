import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { eventLog } from "../../src/index.js";
import { Account, command, json } from "./command.js";

describe("the command chronicle, for the log", function () {
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

    it("say who holds the log's lock, whatever they call themselves", async () => {
      const name = "a\u202eb\u001b[2J";
      const holder = new pg.Client({ connectionString: cli.application.database.url, application_name: name });
      await holder.connect();
      try {
        await holder.query("select pg_advisory_lock(hashtextextended(current_database() || '.chronicle', 0))");
        const { code, stdout } = await run("status");
        expect(code).to.equal(1);
        expect(stdout).to.match(/LOG_LOCKED: Process \d+ of postgres holds the log's lock \(exclusive lock\)/);
        expect(stdout).to.match(/│ \d+ +│ postgres │ \S+ +│ idle +│ \d{4}-\S+Z │ exclusive lock │/);
        expect(stdout).not.to.include("\u202e").and.not.to.include("\u001b");
        const [told] = json<{ holders: object[] }>(await run("status", "--json")).holders;
        expect(told).to.include({ user: "postgres", isStray: true }).and.to.have.property("pid").that.is.a("number");
      } finally {
        await holder.end();
      }
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
      expect(head).to.match(/^position,occurredAt,entity,recordId,action,.*,metadata,data,previous,tooLarge$/);
      expect(first).to.include(`,Account,"{""id"":1}",create,,capture,1,user,a:1,'=cmd|' /C calc'!A0,`);
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
