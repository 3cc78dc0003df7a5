import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Account } from "../activity/account.js";
import { TrackedApplication } from "../tracked-application.js";
import { chronicle, Modules } from "./process.js";

describe("the command chronicle activity", function () {
  this.timeout(120_000);

  let app: TrackedApplication;
  let modules: Modules;
  let folder: string;
  let run: (...args: string[]) => ReturnType<typeof chronicle>;
  before(async () => {
    modules = await Modules.make();
    folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-activity-cli-"));
    const dataSource = await modules.write(
      "ormconfig.mjs",
      "export const dataSource = new DataSource(withEventLog(options));",
    );
    app = await TrackedApplication.start([Account]);
    run = (...args) => chronicle(["-d", dataSource, ...args], { url: app.database.url });
    const { activity } = app.log;
    for (let index = 0; index < 6; index++)
      activity.record(index % 2 === 0 ? "sign_in" : "export", {
        outcome: index === 0 ? "failure" : "success",
        subject: index === 5 ? "evil \u001b[2J" : `s${index}`,
        actor: { type: "user", id: index },
        occurredAt: new Date(Date.now() - index * 86_400_000),
      });
    await activity.flush();
  });
  after(async () => {
    await app.stop();
    await modules.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it("searches, newest first, without what a terminal would take for a command", async () => {
    const { code, stdout } = await run("activity", "search", "--outcome", "success", "--limit", "3");
    expect(code).to.equal(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => /s\d/.exec(line)?.[0]),
    ).to.deep.equal(["s1", "s2", "s3"]);
    const found = await run("--json", "activity", "search", "--actor", "user:5");
    expect(JSON.parse(found.stdout)).to.have.length(1);
    expect((await run("activity", "search", "--actor", "user:5")).stdout).to.include("evil \\u001b[2J");
    expect((await run("activity", "search", "--outcome", "odd")).code).to.equal(2);
  });

  it("exports to a file and to stdout", async () => {
    const file = join(folder, "audit.json");
    const { code, stdout } = await run("activity", "export", "--format", "json", "--days", "2.5", "--output", file);
    expect([code, stdout]).to.deep.equal([0, `3 entries written to ${file}.\n`]);
    expect(JSON.parse(await readFile(file, "utf8"))).to.have.length(3);
    const lines = (await run("activity", "export")).stdout.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { subject: string }).subject).slice(0, 2)).to.deep.equal([
      "s0",
      "s1",
    ]);
    expect(lines).to.have.length(6);
  });

  it("summarizes, and states figures", async () => {
    const { stdout } = await run("--json", "activity", "summary", "--hours", "60");
    expect(JSON.parse(stdout)).to.deep.include({
      total: 3,
      byOutcome: [
        { name: "success", count: 2 },
        { name: "failure", count: 1 },
      ],
    });
    expect((await run("activity", "summary")).stdout).to.include("1 entries from");
    expect(JSON.parse((await run("--json", "activity", "stats")).stdout)).to.include({
      rows: 6,
      queued: 0,
      dropped: 0,
    });
    expect((await run("activity", "stats")).code).to.equal(0);
    expect((await run("activity", "rotate")).stdout).to.equal("There are no files.\n");
  });

  it("checks, with exit code 1 on a finding", async () => {
    const { code, stdout } = await run("activity", "check", "--verbose");
    expect(code).to.equal(1);
    expect(stdout)
      .to.include("owns the activity log")
      .and.include("failed_sign_ins_by_address")
      .and.include("10 in 300 s");
  });

  it("cleans up, after a dry run", async () => {
    expect((await run("activity", "cleanup")).code).to.equal(2);
    expect((await run("activity", "cleanup", "--days", "4.5", "--dry-run")).stdout).to.match(
      /^1 entry from before .* would be deleted/,
    );
    expect((await run("--json", "activity", "cleanup", "--days", "4.5")).stdout).to.include('"entries": 1');
    expect(await app.value("select count(*) from chronicle.activity")).to.equal("5");
  });
});

describe("the command chronicle init", function () {
  this.timeout(60_000);

  it("writes the options, tells the next two steps, and overwrites nothing", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "typeorm-chronicle-init-"));
    try {
      const args = ["init", "--include-fields", "email,username", "--exclude-strategies", "magic_link"];
      const { code, stdout } = await chronicle(args, { cwd });
      expect(code).to.equal(0);
      expect(stdout).to.match(/1\. .*withEventLog.*\n2\. .*install/);
      const text = await readFile(join(cwd, "chronicle.options.ts"), "utf8");
      expect(text).to.include('includeFields: ["email","username"]').and.include('excludeStrategies: ["magic_link"]');
      const again = await chronicle(args, { cwd });
      expect([again.code, again.stderr]).to.deep.equal([
        2,
        "chronicle.options.ts is there already: remove it first, or name another file with --output.\n",
      ]);
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  });
});
