import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { type ActivityEntry, type ActivityFilter, EventLogError } from "../../src/index.js";
import type { TrackedApplication } from "../tracked-application.js";
import { found, rows, startActivity } from "./activity-log.js";

const dayMs = 86_400_000;

describe("searching activity", function () {
  this.timeout(60_000);

  let app: TrackedApplication;
  const base = Date.now() - 3_600_000;
  before(async () => {
    app = await startActivity();
    const { activity } = app.log;
    for (let index = 0; index < 40; index++) {
      activity.record(index % 2 === 0 ? "sign_in" : "account.open", {
        outcome: (["success", "failure", "denied", "error", "unknown"] as const)[index % 5],
        severity: (["debug", "info", "warning", "error", "critical"] as const)[index % 5],
        category: `c${index % 3}`,
        strategy: `s${index % 4}`,
        subject: `subject ${index % 7}`,
        tenant: `t${index % 2}`,
        log: index < 30 ? "main" : "payments",
        actor: { type: index % 2 === 0 ? "user" : "job", id: index % 6 },
        resource: { type: "Account", key: index % 8 },
        correlationId: `k${index % 10}`,
        request: { ip: `203.0.113.${index % 9}` },
        occurredAt: new Date(base + index * 1000),
      });
    }
    await activity.flush();
  });
  after(() => app.stop());

  const filters: [ActivityFilter, (index: number) => boolean][] = [
    [{ action: "sign_in" }, (index) => index % 2 === 0],
    [{ action: "account.*" }, (index) => index % 2 === 1],
    [{ action: ["sign_in", "nothing"] }, (index) => index % 2 === 0],
    [{ outcome: "failure" }, (index) => index % 5 === 1],
    [{ outcome: ["failure", "denied"] }, (index) => [1, 2].includes(index % 5)],
    [{ severity: "critical" }, (index) => index % 5 === 4],
    [{ category: "c1" }, (index) => index % 3 === 1],
    [{ strategy: "s3" }, (index) => index % 4 === 3],
    [{ subject: "subject 2" }, (index) => index % 7 === 2],
    [{ tenant: "t1" }, (index) => index % 2 === 1],
    [{ log: "payments" }, (index) => index >= 30],
    [{ actor: 3 }, (index) => index % 6 === 3],
    [{ actor: "3" }, (index) => index % 6 === 3],
    [{ actor: { type: "user" } }, (index) => index % 2 === 0],
    [{ actor: { type: "job", id: 3 } }, (index) => index % 6 === 3],
    [{ ip: "203.0.113.4" }, (index) => index % 9 === 4],
    [{ resource: "Account" }, () => true],
    [{ resource: { type: "Account", key: 5 } }, (index) => index % 8 === 5],
    [{ correlationId: "k7" }, (index) => index % 10 === 7],
    [{ source: "client" }, () => false],
    [{ from: new Date(base + 10_000) }, (index) => index >= 10],
    [{ to: new Date(base + 10_000).toISOString() }, (index) => index <= 10],
    [
      { action: "sign_in", outcome: "failure", from: new Date(base + 10_000) },
      (index) => index % 2 === 0 && index % 5 === 1 && index >= 10,
    ],
  ];
  for (const [filter, matches] of filters) {
    it(`finds by ${JSON.stringify(filter, (_, value: unknown) => value)}`, async () => {
      const expected = Array.from({ length: 40 }, (_, index) => index).filter(matches);
      const entries = await found(app, filter);
      expect(entries.map(({ occurredAt }) => (occurredAt.getTime() - base) / 1000)).to.deep.equal(
        expected.toReversed(),
      );
    });
  }

  it("gives the newest first and no more than the limit", async () => {
    const entries: ActivityEntry[] = [];
    for await (const entry of app.log.activity.search({ limit: 3 })) entries.push(entry);
    expect(entries.map(({ occurredAt }) => (occurredAt.getTime() - base) / 1000)).to.deep.equal([39, 38, 37]);
  });

  for (const filter of [
    { nonsense: 1 },
    { outcome: "bad" },
    { severity: "high" },
    { ip: "nowhere" },
    { from: "2026-05-01" },
    { limit: -1 },
    { from: "soon" },
  ]) {
    it(`refuses ${JSON.stringify(filter)}`, async () => {
      const error = await found(app, filter as ActivityFilter).catch((problem: unknown) => problem);
      expect(error).to.be.instanceOf(EventLogError).with.property("code", "OPTIONS_INVALID");
    });
  }

  it("fetches a page and no more where no more is taken, however many match", async () => {
    const other = await startActivity({ retentionDays: "forever" });
    const { query } = pg.Client.prototype as { query: (...given: unknown[]) => unknown };
    try {
      await other.query(`insert into chronicle.activity (id, occurred_at, action, outcome, severity, node)
        select gen_random_uuid(), now(), 'many', 'success', 'info', 'test' from generate_series(1, 5000) n`);
      let fetched = 0;
      pg.Client.prototype.query = async function (this: unknown, ...given: unknown[]) {
        const result = (await query.apply(this, given)) as { rows?: unknown[] } | undefined;
        fetched += result?.rows?.length ?? 0;
        return result;
      } as never;
      for await (const entry of other.log.activity.search({ action: "many" })) {
        expect(entry.action).to.equal("many");
        break;
      }
      expect(fetched).to.be.within(1, 1_010);
    } finally {
      pg.Client.prototype.query = query as never;
      await other.stop();
    }
  });

  it("skips and repeats nothing over many pages, while others write", async () => {
    const other = await startActivity({ retentionDays: "forever" });
    try {
      // Many share a millisecond: the id decides between them.
      await other.query(`insert into chronicle.activity (id, occurred_at, action, outcome, severity, node)
        select gen_random_uuid(), '2026-05-01'::timestamptz + make_interval(secs => (n / 700) * 0.001), 'page', 'success', 'info', 'test' from generate_series(1, 3500) n`);
      const seen: string[] = [];
      for await (const { id } of other.log.activity.search({ action: "page" })) {
        seen.push(id);
        if (seen.length % 500 === 0) await other.log.activity.recordNow("page");
      }
      const expected = await rows<{ id: string }>(other, "occurred_at < '2026-05-02'");
      expect(seen.length).to.equal(3500);
      expect(seen).to.deep.equal(expected.map(({ id }) => id).reverse());
    } finally {
      await other.stop();
    }
  });
});

describe("exporting activity", function () {
  this.timeout(60_000);

  let app: TrackedApplication;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-export-"));
    app = await startActivity();
    for (const subject of [
      "=cmd|' /C calc'!A0",
      "+1",
      "-1",
      "@SUM(A1)",
      'quote " comma , line\nend',
      "bell \u0007 \u202e",
      "plain",
    ])
      app.log.activity.record("exported", { subject, details: { subject } });
    for (let index = 0; index < 2_500; index++) app.log.activity.record("many", { details: { index } });
    await app.log.activity.flush();
  });
  after(async () => {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("writes JSON Lines, all that match, newest first", async () => {
    const file = join(folder, "audit.jsonl");
    const progress: number[] = [];
    expect(
      await app.log.activity.export(file, { action: "many", onProgress: ({ done }) => void progress.push(done) }),
    ).to.deep.equal({ entries: 2_500 });
    const lines = (await readFile(file, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ActivityEntry);
    expect(lines.map(({ details }) => details.index)).to.deep.equal(
      Array.from({ length: 2_500 }, (_, index) => 2_499 - index),
    );
    expect(progress.at(-1)).to.equal(2_500);
  });

  it("writes one JSON document, also of nothing", async () => {
    const file = join(folder, "audit.json");
    await app.log.activity.export(file, { action: "exported" });
    expect(JSON.parse(await readFile(file, "utf8"))).to.deep.equal(
      JSON.parse(JSON.stringify(await found(app, { action: "exported" }))),
    );
    await app.log.activity.export(file, { action: "nothing" });
    expect(JSON.parse(await readFile(file, "utf8"))).to.deep.equal([]);
  });

  it("writes CSV in which no cell is a formula and no control character is left", async () => {
    const file = join(folder, "audit.csv");
    await app.log.activity.export(file, { action: "exported" });
    const text = await readFile(file, "utf8");
    const lines = text.trimEnd().split("\r\n");
    expect(lines).to.have.length(8);
    expect(lines[0]?.split(",").slice(0, 4)).to.deep.equal(["id", "occurredAt", "log", "action"]);
    for (const dangerous of ["=cmd", "+1", "-1", "@SUM"]) {
      expect(text).to.match(new RegExp(`,"?'${dangerous.replace("+", "\\+")}`));
      expect(text).not.to.match(new RegExp(`,"?${dangerous.replace("+", "\\+")}`));
    }
    expect(text).to.include('"quote "" comma , line\\u000aend"').and.include("bell \\u0007 \\u202e");
  });

  it("refuses an unknown format, and stops at a signal", async () => {
    const error = await app.log.activity
      .export(join(folder, "x"), { format: "xml" as never })
      .catch((problem: unknown) => problem);
    expect(error).to.have.property("code", "OPTIONS_INVALID");
    const aborted = await app.log.activity
      .export(join(folder, "y"), { signal: AbortSignal.abort() })
      .catch((problem: Error) => problem);
    expect(aborted).to.have.property("name", "AbortError");
  });
});

describe("the end of activity", function () {
  this.timeout(60_000);

  const old = (days: number) => new Date(Date.now() - days * dayMs);

  it("is told by a dry run and brought by a cleanup, in batches", async () => {
    const app = await startActivity({ retentionDays: "forever" });
    try {
      await app.query(`insert into chronicle.activity (id, occurred_at, action, outcome, severity, node)
        select gen_random_uuid(), now() - interval '200 days', 'old', 'success', 'info', 'test' from generate_series(1, 12000)`);
      app.log.activity.record("young", { occurredAt: old(179) });
      await app.log.activity.flush();
      expect(await app.log.activity.cleanup({ olderThanDays: 180, dryRun: true })).to.include({
        entries: 12_000,
        dryRun: true,
      });
      expect(await rows(app)).to.have.length(12_001);
      const progress: number[] = [];
      const report = await app.log.activity.cleanup({
        olderThanDays: 180,
        onProgress: ({ done }) => void progress.push(done),
      });
      expect(report).to.include({ entries: 12_000, dryRun: false });
      expect(progress).to.deep.equal([5_000, 10_000, 12_000]);
      expect((await rows(app)).map(({ action }) => action)).to.deep.equal(["young"]);
    } finally {
      await app.stop();
    }
  });

  it("comes by retention soon after the start, without waiting for the first hour", async () => {
    const app = await startActivity({ retentionDays: 30 });
    try {
      await app.log.activity.recordNow("kept", { occurredAt: old(29) });
      await app.log.activity.recordNow("over", { occurredAt: old(31) });
      for (let waited = 0; waited < 100 && (await rows(app)).length > 1; waited++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await rows(app)).map(({ action }) => action)).to.deep.equal(["kept"]);
    } finally {
      await app.stop();
    }
  });

  it("comes by no other way: UPDATE, DELETE and TRUNCATE are refused to the owner too", async () => {
    const app = await startActivity();
    try {
      await app.log.activity.recordNow("fixed");
      for (const statement of [
        "update chronicle.activity set action = 'x'",
        "delete from chronicle.activity",
        "truncate chronicle.activity",
        "update chronicle.activity set action = 'x' where false",
      ]) {
        const error = await app.query(statement).then(
          () => undefined,
          (problem: { code?: string }) => problem.code,
        );
        expect(error, statement).to.equal("CH004");
      }
      expect(await rows(app)).to.have.length(1);
    } finally {
      await app.stop();
    }
  });

  it("is not for the application's role to bring early, nor to rewrite what it wrote", async () => {
    const role = `chronicle_activity_${Math.random().toString(36).slice(2)}`;
    const app = await startActivity(
      { retentionDays: 60 },
      {
        prepare: async ({ url }) => {
          const { query } = await import("../database.js");
          await query(url, `create role ${role} login password 'x'`);
        },
        install: { grantTo: role },
      },
    );
    try {
      await app.log.activity.recordNow("young", { occurredAt: old(59) });
      await app.query(`set session authorization ${role}`);
      await app.query(
        "insert into chronicle.activity (id, occurred_at, action, outcome, severity, node) values (gen_random_uuid(), now() - interval '61 days', 'old', 'success', 'info', 'test')",
      );
      expect(await app.value("select chronicle.activity_cleanup(now(), 100)")).to.equal("1");
      for (const statement of [
        "update chronicle.activity set action = 'x'",
        "delete from chronicle.activity",
        "truncate chronicle.activity",
        "alter table chronicle.activity disable trigger all",
      ]) {
        const error = await app.query(statement).then(
          () => undefined,
          (problem: { code?: string }) => problem.code,
        );
        expect(error, statement).to.equal("42501");
      }
      await app.query("reset session authorization");
      expect((await rows(app)).map(({ action }) => action)).to.deep.equal(["young"]);
    } finally {
      await app.query(`drop owned by ${role}; drop role ${role}`);
      await app.stop();
    }
  });

  it("is brought by one process at a time", async () => {
    const app = await startActivity({ retentionDays: "forever" });
    const { keepRetention } = await import("../../src/activity/cleanup.js");
    try {
      await app.log.activity.recordNow("old", { occurredAt: old(100) });
      await app.query(
        `select pg_advisory_lock(hashtextextended('typeorm-chronicle activity retention "chronicle"', 0))`,
      );
      expect(await keepRetention(app.dataSource, 30)).to.equal(0);
      await app.query("select pg_advisory_unlock_all()");
      expect(await keepRetention(app.dataSource, 30)).to.equal(1);
    } finally {
      await app.stop();
    }
  });
});

describe("figures about activity", function () {
  this.timeout(60_000);

  /** More of each kind than are told: the one of number n has n + 1 entries, their outcomes in turn. */
  const kinds = Array.from({ length: 12 }, (_, number) => String(number).padStart(2, "0"));
  const outcomes = ["success", "failure", "denied", "error", "unknown"] as const;
  const recorded = kinds.flatMap((kind, number) =>
    Array.from({ length: number + 1 }, (_, index) => ({ kind, outcome: outcomes[index % 5] ?? "unknown" })),
  );
  /** How often each name is there, the most frequent first. */
  const counted = (names: readonly string[]) =>
    [...new Set(names)]
      .map((name) => ({ name, count: names.filter((other) => other === name).length }))
      .sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1));

  let app: TrackedApplication;
  before(async () => {
    app = await startActivity({ batch: { size: 1_000, intervalMs: 600_000 } });
    const { activity } = app.log;
    for (const { kind, outcome } of recorded)
      activity.record(`action ${kind}`, {
        outcome,
        actor: { type: "user", id: kind, name: `User ${kind}` },
        request: { ip: `203.0.113.1${kind}` },
      });
    activity.record("old", { outcome: "error", occurredAt: new Date(Date.now() - 25 * 3_600_000) });
  });
  after(() => app.stop());

  it("summarize the last hours, what is still queued included", async () => {
    const summary = await app.log.activity.summary({ hours: 24 });
    expect(summary.total).to.equal(78);
    expect(summary.byAction).to.deep.equal(counted(recorded.map(({ kind }) => `action ${kind}`)));
    expect(summary.byAction).to.have.length(12);
    expect(summary.byOutcome).to.deep.equal(counted(recorded.map(({ outcome }) => outcome)));
    const severities = { success: "info", failure: "warning", denied: "warning", error: "error", unknown: "info" };
    expect(summary.bySeverity).to.deep.equal(counted(recorded.map(({ outcome }) => severities[outcome])));
    const topTen = kinds.toReversed().slice(0, 10);
    expect(summary.topActors).to.deep.equal(
      topTen.map((kind) => ({ type: "user", id: kind, name: `User ${kind}`, count: Number(kind) + 1 })),
    );
    expect(summary.topAddresses).to.deep.equal(
      topTen.map((kind) => ({ name: `203.0.113.1${kind}`, count: Number(kind) + 1 })),
    );
    const failed = recorded.filter(({ outcome }) => ["failure", "denied", "error"].includes(outcome));
    expect(summary.topFailures).to.deep.equal(counted(failed.map(({ kind }) => `action ${kind}`)).slice(0, 10));
    expect((await app.log.activity.summary({ hours: 26 })).total).to.equal(79);
  });

  it("state every field that is promised", async () => {
    const folder = await mkdtemp(join(tmpdir(), "typeorm-chronicle-stats-"));
    const other = await startActivity({
      batch: { size: 1_000, intervalMs: 600_000 },
      queue: 3,
      sinks: ["database", { file: { folder } }, { name: "failing", write: () => Promise.reject(new Error("down")) }],
    });
    try {
      const { activity } = other.log;
      const oldest = new Date(Date.now() - 2 * dayMs);
      activity.record("old", { occurredAt: oldest });
      activity.record("young");
      expect(await activity.flush(), "the sink that fails").to.equal(false);
      await new Promise((resolve) => setTimeout(resolve, 10));
      activity.record("in the database alone");
      await activity.summary();
      activity.record("waiting"); // for which the failing sink has no room
      const stats = await activity.stats();
      expect(stats).to.include({ rows: 3, queued: 6, dropped: 1, lastError: "down" });
      const [sizes] = await other.query<{ least: string }>(
        "select pg_relation_size('chronicle.activity') + pg_indexes_size('chronicle.activity') as least",
      );
      expect(stats.bytes).to.be.at.least(Number(sizes?.least));
      expect(stats.oldest).to.deep.equal(oldest);
      expect(Date.now() - (stats.newest?.getTime() ?? 0)).to.be.within(0, 10_000);
      expect(stats.today).to.equal(
        Number(
          await other.value(
            "select count(*) from chronicle.activity where occurred_at at time zone 'UTC' >= (now() at time zone 'UTC')::date",
          ),
        ),
      );
      expect(stats.files).to.deep.equal(["activity.jsonl"]);
      expect(
        stats.sinks.map(({ name, queued, dropped, lastError }) => [name, queued, dropped, lastError]),
      ).to.deep.equal([
        ["database", 1, 0, null],
        [`file ${folder}`, 2, 0, null],
        ["failing", 3, 1, "down"],
      ]);
      const [ofDatabase, ofFile, ofFailing] = stats.sinks.map(({ lastFlush }) => lastFlush?.getTime());
      expect(ofDatabase).to.be.greaterThan(ofFile ?? Number.NaN);
      expect(ofFailing).to.equal(undefined);
      expect(stats.lastFlush?.getTime(), "the oldest of the last").to.equal(ofFile);
    } finally {
      await other.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("check: name the owner's role as a finding, and nothing else of a sound log", async () => {
    const check = await app.log.activity.check();
    expect(check.findings).to.have.length(1);
    expect(check.findings[0]).to.include("owns the activity log");
    expect(check).to.deep.include({
      enabled: true,
      retentionDays: 90,
      ipPrivacy: "none",
      sensitive: "omit",
      sinks: ["database"],
    });
    expect(check.thresholds.map(({ threshold }) => threshold)).to.deep.equal([10, 5, 5]);
    await app.query("alter table chronicle.activity disable trigger append_only");
    expect((await app.log.activity.check()).findings.join()).to.include("append-only is missing or disabled");
    await app.query("alter table chronicle.activity enable trigger append_only");
  });
});
