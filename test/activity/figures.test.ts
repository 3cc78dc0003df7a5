import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { TrackedApplication } from "../tracked-application.js";
import { startActivity } from "./activity-log.js";

const dayMs = 86_400_000;

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
