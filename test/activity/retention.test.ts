import { expect } from "chai";
import { rows, startActivity } from "./activity-log.js";

const dayMs = 86_400_000;

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
      const entries = `json_build_array(json_build_object('id', gen_random_uuid(), 'occurred_at', now() - interval '61 days',
        'log', 'default', 'action', 'old', 'outcome', 'success', 'severity', 'info', 'params', json_build_object(),
        'details', json_build_object(), 'node', 'test', 'source', 'server'))`;
      await app.query(`select chronicle.record_activity(${entries})`);
      expect(await app.value("select chronicle.activity_cleanup(now(), 100)")).to.equal("1");
      for (const statement of [
        "insert into chronicle.activity default values",
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
