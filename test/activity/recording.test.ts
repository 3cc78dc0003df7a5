import { expect } from "chai";
import { ChronicleActivity, EventLogError, withRequestContext } from "../../src/index.js";
import type { TrackedApplication } from "../tracked-application.js";
import { Account } from "./account.js";
import { found, rows, startActivity, until } from "./activity-log.js";

describe("recording activity", function () {
  this.timeout(30_000);

  let app: TrackedApplication;
  before(async () => void (app = await startActivity({}, { dataSource: { entities: [Account, ChronicleActivity] } })));
  after(() => app.stop());

  const actor = { type: "user", id: 7, name: "Ada" };

  it("stores what is said and what the request context knows", async () => {
    const { activity } = app.log;
    const request = {
      id: "r-1",
      method: "POST",
      url: "/login?token=abc",
      headers: { host: "example.org", "user-agent": "Mozilla", "x-forwarded-for": "1.2.3.4" },
      socket: { remoteAddress: "::ffff:203.0.113.9", remotePort: 1234 },
    };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    withRequestContext({ actor, tenant: "acme", request, traceparent, correlationId: "c-1", causationId: "c-0" }, () =>
      activity.record("sign_in", {
        outcome: "failure",
        strategy: "password",
        category: "security",
        subject: "ada@example.org",
        params: { email: "ada@example.org", new_password: "secret" },
        details: { attempt: 3 },
        resource: { type: "Account", key: 12 },
        error: new Error("invalid credentials"),
      }),
    );
    const [entry] = await found(app, { action: "sign_in", subject: "ada@example.org" });
    expect(entry?.id).to.match(/^[\da-f]{8}-[\da-f]{4}-7/);
    expect(Date.now() - (entry?.occurredAt.getTime() ?? 0)).to.be.within(0, 10_000);
    expect(entry).to.deep.include({
      log: "default",
      action: "sign_in",
      category: "security",
      outcome: "failure",
      severity: "warning",
      actor: { type: "user", id: "7", name: "Ada" },
      subject: "ada@example.org",
      tenant: "acme",
      strategy: "password",
      resource: { type: "Account", key: "12" },
      params: { email: "ada@example.org" },
      details: { attempt: 3 },
      error: "invalid credentials",
      request: {
        id: "r-1",
        method: "POST",
        path: "/login",
        host: "example.org",
        ip: "203.0.113.9",
        port: 1234,
        userAgent: "Mozilla",
        forwarded: null,
        xForwardedFor: "1.2.3.4",
      },
      correlationId: "c-1",
      causationId: "c-0",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      source: "server",
    });
  });

  it("keeps ids that are no integers as they are, and finds them again: UUIDs, texts, large numbers, composite keys", async () => {
    const ids = ["018f2c6e-7a51-7c3f-9d0a-3b1f6f0c2a11", "auth0|ada", 9_007_199_254_740_993n, -1, "007"] as const;
    for (const id of ids) {
      app.log.activity.record("any id", {
        actor: { type: "user", id },
        resource: { type: "Thing", key: { a: id.toString(), b: 2 } },
      });
      const [entry, ...others] = await found(app, { action: "any id", actor: { type: "user", id } });
      expect(others).to.have.length(0);
      expect(entry?.actor?.id).to.equal(String(id));
      const byKey = await found(app, { resource: { type: "Thing", key: { a: id.toString(), b: 2 } } });
      expect(byKey.map((one) => one.id)).to.deep.equal([entry?.id]);
    }
  });

  it("joins data events by correlation id", async () => {
    const id = await withRequestContext({ actor }, async () => {
      const saved = await app.manager.save(Account, { name: "joined" });
      app.log.activity.record("account.open", { subject: saved.id });
      return saved.id;
    });
    const [entry] = await found(app, { subject: id });
    const [event] = await app.log.history(Account, id);
    expect(entry?.correlationId).to.be.a("string").and.equal(event?.correlationId);
  });

  it("never throws and never waits, whatever it is given", async () => {
    const { activity } = app.log;
    const circular: Record<string, unknown> = {
      big: 12n,
      when: new Date(0),
      nan: Number.NaN,
      nul: "a\0b",
      half: "\ud800",
    };
    circular.self = circular;
    const hostile = Object.defineProperty({}, "trap", {
      enumerable: true,
      get: () => {
        throw new Error("trap");
      },
    });
    const proxy = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no keys");
        },
      },
    );
    activity.record("hostile", { params: circular, details: hostile });
    activity.record("hostile", { details: proxy, error: Object.create(null) });
    activity.record(undefined as never, "nothing" as never);
    activity.record("hostile", {
      outcome: "odd" as never,
      severity: 3 as never,
      actor: "me" as never,
      occurredAt: "now" as never,
      request: 5 as never,
    });
    const entries = await found(app, { action: "hostile" });
    expect(entries.map(({ params, details }) => [params, details])).to.deep.include([
      { big: "12", when: "1970-01-01T00:00:00.000Z", nan: "NaN", nul: "a\u2400b", half: "\ufffd", self: "[circular]" },
      { value: "[unreadable]" },
    ]);
    expect(entries).to.have.length(3);
  });

  it("lies outside the caller's transaction and survives its rollback", async () => {
    const { activity } = app.log;
    await app.dataSource
      .transaction(async (manager) => {
        await manager.save(Account, { name: "rolled back" });
        activity.record("outside", { outcome: "failure" });
        await activity.recordNow("outside-now");
        throw new Error("roll back");
      })
      .catch(() => undefined);
    expect((await found(app, { action: "outside*" })).map(({ action }) => action)).to.have.members([
      "outside",
      "outside-now",
    ]);
    expect(await app.manager.countBy(Account, { name: "rolled back" })).to.equal(0);
  });

  it("lies inside a transaction that is named, lives and dies with it, and fails with it", async () => {
    const { activity } = app.log;
    await app.dataSource.transaction(async (manager) => {
      await activity.recordNow("inside", { within: manager, subject: "kept" });
      expect(await found(app, { action: "inside" })).to.have.length(0);
    });
    await app.dataSource
      .transaction(async (manager) => {
        await activity.recordNow("inside", { within: manager, subject: "lost" });
        throw new Error("roll back");
      })
      .catch(() => undefined);
    expect((await found(app, { action: "inside" })).map(({ subject }) => subject)).to.deep.equal(["kept"]);
    const error = await activity.recordNow("inside", { within: app.manager }).catch((problem: unknown) => problem);
    expect(error).to.be.instanceOf(EventLogError).with.property("code", "OPTIONS_INVALID");
    const failed = await app.dataSource
      .transaction(async (manager) => {
        await manager.query("select 1 / 0").catch(() => undefined);
        await activity.recordNow("inside", { within: manager });
      })
      .then(
        () => undefined,
        (problem: { code?: string }) => problem.code,
      );
    expect(failed).to.equal("25P02");
  });

  it("tells other sinks of what lies inside a transaction once it is committed, and never of what was rolled back", async () => {
    const seen: (string | null)[] = [];
    const other = await startActivity({
      sinks: ["database", async (batch) => void seen.push(...batch.map(({ subject }) => subject))],
    });
    try {
      const { activity } = other.log;
      for (const subject of ["lost", "kept"]) {
        await other.dataSource
          .transaction(async (within) => {
            await activity.recordNow("inside", { within, subject });
            await activity.flush();
            expect(seen).to.deep.equal([]);
            if (subject === "lost") throw new Error("roll back");
          })
          .catch((error: Error) => expect(error.message).to.equal("roll back"));
      }
      await activity.flush();
      expect(seen).to.deep.equal(["kept"]);
    } finally {
      await other.stop();
    }
  });

  it("does not wait for the pool when the caller holds its last connection", async () => {
    const small = await startActivity({}, { dataSource: { extra: { max: 1 } } });
    try {
      await small.dataSource.transaction(async (manager) => {
        await manager.query("select 1");
        await small.log.activity.recordNow("starving");
      });
      expect(await rows(small)).to.have.length(1);
    } finally {
      await small.stop();
    }
  });

  it("records how work ended: success, failure, denied and error, and throws its error on", async () => {
    const { activity } = app.log;
    expect(await activity.audit("audited", { subject: "good" }, () => Promise.resolve(42))).to.equal(42);
    const cases: [string, unknown, string][] = [
      ["bad", new Error("invalid credentials"), "failure"],
      ["unauthorized", Object.assign(new Error("who?"), { status: 401 }), "failure"],
      ["forbidden", Object.assign(new Error("no"), { statusCode: 403 }), "denied"],
      ["broken", new TypeError("x is not a function"), "error"],
      ["down", Object.assign(new Error("connect ECONNREFUSED"), { syscall: "connect" }), "error"],
    ];
    for (const [subject, problem] of cases) {
      const thrown = await activity
        .audit("audited", { subject }, () => Promise.reject(problem as Error))
        .catch((error: unknown) => error);
      expect(thrown).to.equal(problem);
    }
    const query = await activity
      .audit("audited", { subject: "query" }, () => app.manager.query("select 1 / 0"))
      .catch((error: unknown) => error);
    expect(query).to.be.instanceOf(Error);
    const outcomeOf = () => {
      throw new Error("of outcomeOf");
    };
    const first = new Error("of the work");
    const thrown = activity.audit("guarded", { outcomeOf }, () => Promise.reject(first));
    expect(await thrown.catch((error: unknown) => error)).to.equal(first);
    expect((await found(app, { action: "guarded" }))[0]).to.deep.include({ outcome: "failure", error: "of the work" });
    const entries = await found(app, { action: "audited" });
    expect(Object.fromEntries(entries.map(({ subject, outcome }) => [subject, outcome]))).to.deep.equal({
      good: "success",
      ...Object.fromEntries(cases.map(([subject, , outcome]) => [subject, outcome])),
      query: "error",
    });
    expect(entries.find(({ subject }) => subject === "broken")?.error).to.equal("TypeError: x is not a function");
  });

  it("is a table that TypeORM reads like any other", async () => {
    app.log.activity.record("typeorm", { outcome: "failure", subject: "first" });
    await app.log.activity.flush();
    const [entry] = await app.manager.find(ChronicleActivity, {
      where: { action: "typeorm", outcome: "failure" },
      order: { occurredAt: "DESC" },
      take: 50,
    });
    expect(entry).to.be.instanceOf(ChronicleActivity).with.property("subject", "first");
  });

  it("records loads of the entities that ask for it, by their key, and what they hold never", async () => {
    const { id } = await app.manager.save(Account, { name: "read me", taxNumber: "12-345" });
    await app.manager.findOneByOrFail(Account, { id });
    const reads = await found(app, { action: "read", resource: { type: "Account", key: id } });
    expect(reads).to.have.length(1);
    expect(JSON.stringify(reads)).not.to.include("12-345").and.not.to.include("read me");
  });

  it("writes a batch when it is full, or when its time is over, or each entry at once", async () => {
    for (const [batch, count] of [
      [{ size: 3, intervalMs: 60_000 }, 3],
      [{ size: 100, intervalMs: 50 }, 1],
      [false, 1],
    ] as const) {
      const other = await startActivity({ batch });
      try {
        for (let index = 0; index < count; index++) other.log.activity.record("batched");
        await until(async () => (await rows(other, "action = 'batched'")).length === count, "the batch");
      } finally {
        await other.stop();
      }
    }
  });

  it("writes the first entry at once, so that others know of the process, and the next ones in their batch", async () => {
    const other = await startActivity({ batch: { intervalMs: 600_000 } });
    try {
      other.log.activity.record("first");
      await until(async () => (await rows(other)).length === 1, "the first entry");
      expect(await other.query("select node from chronicle.activity_writer")).to.have.length(1);
      other.log.activity.record("next");
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect((await rows(other)).map(({ action }) => action)).to.deep.equal(["first"]);
    } finally {
      await other.stop();
    }
  });

  it("writes what waits when the DataSource is destroyed", async () => {
    const other = await startActivity({ batch: { intervalMs: 600_000 } });
    other.log.activity.record("first");
    await other.log.activity.flush();
    other.log.activity.record("last words");
    expect(await rows(other)).to.have.length(1);
    await other.dataSource.destroy();
    expect((await rows(other)).map(({ action }) => action)).to.deep.equal(["first", "last words"]);
    expect(await other.query("select from chronicle.activity_writer"), "no farewell").to.have.length(0);
    await other.dataSource.initialize();
    await other.manager.query("select 1");
    other.log.activity.record("again");
    await other.stop();
  });

  it("leaves an entry where a process starts with it off, and records nothing else", async () => {
    const other = await startActivity({ enabled: false });
    try {
      other.log.activity.record("unheard");
      expect(await other.log.activity.recordNow("unheard")).to.equal(undefined);
      expect((await found(other)).map(({ action }) => action)).to.deep.equal(["activity.disabled"]);
    } finally {
      await other.stop();
    }
  });

  it("says NOT_INSTALLED where the table is not there, keeps what was recorded, and writes it afterwards", async () => {
    const other = await startActivity({ batch: false }, { install: false });
    try {
      const error = await other.log.activity.recordNow("early").catch((problem: unknown) => problem);
      expect(error).to.be.instanceOf(EventLogError).with.property("code", "NOT_INSTALLED");
      other.log.activity.record("patient");
      await until(() => other.log.activity.flush().then((isDone) => !isDone), "a failed flush");
      await other.log.install();
      expect((await found(other)).map(({ action }) => action)).to.deep.equal(["patient"]);
    } finally {
      await other.stop();
    }
  });
});
