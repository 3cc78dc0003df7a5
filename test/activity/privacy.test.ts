import { createHmac } from "node:crypto";
import { trace } from "@opentelemetry/api";
import { expect } from "chai";
import { EventLogError, withEventLog, type ActivityOptions } from "../../src/index.js";
import { found, startActivity } from "./activity-log.js";

const secret = "the secret of the hashes";
const hash = (text: string) => `sha256:${createHmac("sha256", secret).update(text).digest("hex")}`;

/** What is kept of params under some options, and of details alike. */
async function kept(options: ActivityOptions, params: object): Promise<Record<string, unknown> | undefined> {
  const app = await startActivity(options);
  try {
    app.log.activity.record("privacy", { params, details: params });
    const [entry] = await found(app, { action: "privacy" });
    expect(entry?.details).to.deep.equal(entry?.params);
    return entry?.params;
  } finally {
    await app.stop();
  }
}

const given = {
  email: "ada@example.org",
  password: "p1",
  new_password: "p2",
  confirmPassword: "p3",
  user: { "X-Api-Key": "k", profile: [{ card_number: "4111", name: "Ada" }] },
  headers: { Authorization: "Bearer x", cookie: "c", "Set-Cookie": "d", accept: "*/*" },
  csrfToken: "t",
  clientSecret: "s",
  user_pin: 1234,
  taxNumber: "12-345",
  tax_number: "12-345",
  spinning: "kept",
  passage: "kept",
};

describe("the privacy of activity", function () {
  this.timeout(60_000);

  it("leaves out what is sensitive, by its name at any depth and by the entities' metadata", async () => {
    expect(await kept({}, given)).to.deep.equal({
      email: "ada@example.org",
      user: { profile: [{ name: "Ada" }] },
      headers: { accept: "*/*" },
      spinning: "kept",
      passage: "kept",
    });
  });

  it("masks it", async () => {
    expect(
      await kept({ sensitive: "mask" }, { new_password: "p2", deep: { taxNumber: 1 }, name: "Ada" }),
    ).to.deep.equal({
      new_password: "[masked]",
      deep: { taxNumber: "[masked]" },
      name: "Ada",
    });
  });

  it("hashes it with a key: equal stays equal", async () => {
    const found = await kept({ sensitive: "hash", ipSecret: secret }, { password: "p1", list: [{ password: "p1" }] });
    expect(found).to.deep.equal({ password: hash("p1"), list: [{ password: hash("p1") }] });
  });

  it("lets fields in that are named, and warns at start when one of them is sensitive", async () => {
    const warnings: string[] = [];
    const listener = (warning: Error) => void warnings.push(warning.message);
    process.on("warning", listener);
    try {
      const options = { includeFields: ["email", "tax_number", "password_hint"] };
      expect(await kept(options, { taxNumber: "12", passwordHint: "pet", password: "p", email: "e" })).to.deep.equal({
        taxNumber: "12",
        passwordHint: "pet",
        email: "e",
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings.filter((text) => text.includes("includeFields"))).to.deep.equal([
        "activity.includeFields lets sensitive values into the activity log: tax_number, password_hint.",
      ]);
    } finally {
      process.off("warning", listener);
    }
  });

  it("keeps keys such as __proto__ as keys, and pollutes nothing", async () => {
    const params = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as object;
    const found = await kept({}, params);
    expect(JSON.stringify(found)).to.equal('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  });

  it("cuts what is too deep, too long or too much, and says so", async () => {
    let deep: object = { end: true };
    for (let level = 0; level < 5_000; level++) deep = { deep };
    const found = await kept(
      {},
      { deep, long: "x".repeat(10_000), many: Array.from({ length: 1_500 }, (_, index) => index) },
    );
    expect(JSON.stringify(found?.deep)).to.include("[too deep]").and.to.have.length.below(300);
    expect(found?.long).to.match(/^x{8192}\[1808 more\]$/);
    expect((found?.many as unknown[] | undefined)?.at(-1)).to.equal("[500 more]");
  });

  for (const [mode, ip, xForwardedFor, port] of [
    ["hash", hash("203.0.113.9"), `${hash("198.51.100.7")}`, 4711],
    ["truncate", "203.0.113.0/24", "198.51.100.0/24", 4711],
    ["exclude", null, null, null],
  ] as const) {
    it(`keeps addresses as ipPrivacy "${mode}" has it, in ip, X-Forwarded-For and Forwarded alike`, async () => {
      const app = await startActivity({ ipPrivacy: mode, ipSecret: secret });
      try {
        const request = {
          headers: { "x-forwarded-for": "198.51.100.7", forwarded: "for=198.51.100.7" },
          socket: { remoteAddress: "203.0.113.9", remotePort: 4711 },
        };
        app.log.activity.record("address", { request });
        const [entry] = await found(app, { action: "address" });
        expect(entry?.request).to.include({ ip, xForwardedFor, port });
        expect(JSON.stringify(entry)).not.to.match(/198\.51\.100\.7|203\.0\.113\.9/);
      } finally {
        await app.stop();
      }
    });
  }

  it("keeps a resource's key as a keyed hash where keys are hidden, and finds it by the key", async () => {
    const app = await startActivity({ sensitiveKeys: false, ipSecret: secret });
    try {
      app.log.activity.record("keys", { resource: { type: "Account", key: "k-1" } });
      const [entry] = await found(app, { resource: { type: "Account", key: "k-1" } });
      expect(entry?.resource).to.deep.equal({ type: "Account", key: hash("k-1") });
    } finally {
      await app.stop();
    }
  });

  it("records what is included, without what is excluded, with wildcards", async () => {
    const app = await startActivity({
      includeActions: ["account.*", "sign_in", "export"],
      excludeActions: ["account.peek*"],
      includeStrategies: ["pass*", "magic_link"],
      excludeStrategies: ["password_reset"],
    });
    try {
      const { activity } = app.log;
      for (const action of [
        "account.open",
        "account.peek",
        "account.peek2",
        "sign_in",
        "sign_in2",
        "export",
        "other",
        "accountXopen",
      ])
        activity.record(action);
      for (const strategy of ["password", "password_reset", "magic_link", "oauth"])
        activity.record("export", { strategy });
      const entries = await found(app);
      expect(entries.map(({ action, strategy }) => strategy ?? action)).to.have.members([
        "account.open",
        "sign_in",
        "export",
        "password",
        "magic_link",
      ]);
    } finally {
      await app.stop();
    }
  });

  it("keeps what is recorded under a name that the options do not tell of, and warns once", async () => {
    const warnings: string[] = [];
    const listener = (warning: Error) => void warnings.push(warning.message);
    process.on("warning", listener);
    const app = await startActivity({ actions: ["sign_in"], strategies: ["password"] });
    try {
      for (const action of ["sign_in", "sing_in", "sing_in"]) app.log.activity.record(action, { strategy: "pasword" });
      expect(await found(app)).to.have.length(3);
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings.map((text) => /The (.*) is recorded/.exec(text)?.[1])).to.deep.equal([
        'strategy "pasword"',
        'action "sing_in"',
      ]);
    } finally {
      process.off("warning", listener);
      await app.stop();
    }
  });

  it("takes the trace of the active span where OpenTelemetry is installed", async () => {
    const app = await startActivity();
    const spanContext = { traceId: "11111111111111111111111111111111", spanId: "2222222222222222", traceFlags: 1 };
    const original = trace.getActiveSpan.bind(trace);
    trace.getActiveSpan = () => trace.wrapSpanContext(spanContext);
    try {
      await new Promise((resolve) => setTimeout(resolve, 50));
      app.log.activity.record("traced");
      expect((await found(app, { action: "traced" }))[0]).to.include({
        traceId: spanContext.traceId,
        spanId: spanContext.spanId,
      });
    } finally {
      trace.getActiveSpan = original;
      await app.stop();
    }
  });
});

describe("the options of the activity log", () => {
  const refused = (activity: unknown): string => {
    try {
      withEventLog({ type: "postgres" }, { activity: activity as ActivityOptions });
    } catch (error) {
      if (error instanceof EventLogError && error.code === "OPTIONS_INVALID") return error.message;
      throw error;
    }
    return "accepted";
  };

  const cases: [unknown, string][] = [
    [{ batch: { size: 0 } }, "expected activity.batch.size to be a positive integer, got: 0"],
    [{ batch: { sizes: 1 } }, 'unknown option "activity.batch.sizes". Did you mean "activity.batch.size"?'],
    [{ nonsense: 1 }, 'unknown option "activity.nonsense". activity takes enabled, batch, queue'],
    [{ queue: 1.5 }, "expected activity.queue to be a positive integer, got: 1.5"],
    [
      { retentionDays: "ever" },
      'expected activity.retentionDays to be a positive number of days or "forever", got: "ever"',
    ],
    [{ ipPrivacy: "hash" }, 'expected activity.ipSecret to be given with ipPrivacy "hash"'],
    [{ sensitive: "hash" }, "expected activity.ipSecret to be given"],
    [{ sensitiveKeys: false }, "expected activity.ipSecret to be given"],
    [{ ipSecret: "short" }, "expected activity.ipSecret to be at least 16 characters"],
    [{ ipv4TruncationMask: 33 }, "expected activity.ipv4TruncationMask to be a whole number from 0 to 32, got: 33"],
    [{ includeActions: "sign_in" }, 'expected activity.includeActions to be a list of names, got: "sign_in"'],
    [
      { actions: ["sign_in", "export.*"], excludeActions: ["sing_in"] },
      'expected activity.excludeActions to be made of sign_in, export.*, read, alert, gap, activity.*, got: "sing_in"',
    ],
    [{ actions: ["sign_in"], includeActions: ["sign_in", "report.*"] }, 'got: "report.*"'],
    [
      { strategies: ["password"], includeStrategies: ["magic*"] },
      'expected activity.includeStrategies to be made of password, got: "magic*"',
    ],
    [{ strategies: ["password"], excludeStrategies: ["pasword"] }, 'got: "pasword"'],
    [
      {
        actions: ["sign_in", "export.*"],
        includeActions: ["sign*", "export.csv", "export.*"],
        excludeActions: ["read", "gap"],
      },
      "accepted",
    ],
    [{ includeActions: ["anything"], excludeStrategies: ["magic_link"] }, "accepted"],
    [{ sinks: ["databse"] }, "expected activity.sinks[0] to be"],
    [{ sinks: [{ file: {} }] }, "expected activity.sinks[0].file.folder to be a folder"],
    [
      { sinks: [{ webhook: { url: "ftp://x", secret: "s" } }] },
      "expected activity.sinks[0].webhook.url to be an http(s) address",
    ],
    [
      { alerts: { rules: [{ name: "x", filter: {}, threshold: 0, windowSeconds: 1 }] } },
      "expected activity.alerts.rules[0].threshold to be a positive integer, got: 0",
    ],
    [{ alerts: { failuresPerAddres: 1 } }, 'unknown option "activity.alerts.failuresPerAddres"'],
    [{ client: { perMinute: -1 } }, "expected activity.client.perMinute to be a positive integer, got: -1"],
    [{ authorize: true }, "expected activity.authorize to be a function, got: true"],
    [{ trustProxy: "10.0.0.0/99" }, "expected activity.trustProxy to be"],
    ["on", "expected activity to be an object"],
  ];
  for (const [given, message] of cases) {
    it(`${message === "accepted" ? "accept" : "refuse"} ${JSON.stringify(given)}`, () =>
      expect(refused(given)).to.include(message));
  }

  it("tell every finding in one list, and never a secret", () => {
    const message = refused({ queue: 0, ipSecret: "hunter2", enabled: "yes" });
    expect(message).to.include("activity.queue").and.include("activity.enabled").and.include("activity.ipSecret");
    expect(message).not.to.include("hunter2");
  });
});
