import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { type ActivityEntry, type ActivityFilter, EventLogError } from "../../src/index.js";
import type { TrackedApplication } from "../tracked-application.js";
import { found, rows, startActivity } from "./activity-log.js";

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
