import { expect } from "chai";
import { type Alert, eventLog, EventLogError } from "../../src/index.js";
import { newDataSource, type TrackedApplication } from "../tracked-application.js";
import { Account } from "./account.js";
import { found, startActivity, until } from "./activity-log.js";

const start = new Date("2026-05-01T12:00:00.000Z").getTime();
const at = (seconds: number) => new Date(start + seconds * 1000);

describe("alerts", function () {
  this.timeout(60_000);

  const raised: Alert[] = [];
  let app: TrackedApplication;
  before(async () => {
    app = await startActivity({
      retentionDays: "forever", // the entries are given times of long ago
      alerts: {
        onAlert: (alert) => void raised.push(alert),
        rules: [
          {
            name: "exports",
            filter: { action: "export*", outcome: "success" },
            by: "actor",
            threshold: 3,
            windowSeconds: 60,
          },
          { name: "anything critical", filter: { severity: "critical" }, threshold: 2, windowSeconds: 10 },
        ],
      },
    });
  });
  after(() => app.stop());
  beforeEach(() => void (raised.length = 0));

  /** A failed sign-in some seconds after the start. */
  async function fail(seconds: number, who: { subject?: string; ip?: string; id?: string }): Promise<void> {
    await app.log.activity.recordNow("sign_in", {
      outcome: "failure",
      subject: who.subject,
      actor: who.id === undefined ? null : { type: "user", id: who.id },
      request: who.ip === undefined ? null : { ip: who.ip },
      occurredAt: at(seconds),
    });
  }

  const thresholds = [
    {
      name: "failed_sign_ins_by_address",
      threshold: 10,
      who: (key: string) => ({ ip: key }),
      keys: ["198.51.100.1", "198.51.100.2", "198.51.100.3"],
    },
    {
      name: "failed_sign_ins_by_subject",
      threshold: 5,
      who: (key: string) => ({ subject: key }),
      keys: ["s1", "s2", "s3"],
    },
    { name: "failed_sign_ins_by_actor", threshold: 5, who: (key: string) => ({ id: key }), keys: ["a1", "a2", "a3"] },
  ];
  for (const { name, threshold, who, keys } of thresholds) {
    it(`${name}: none at ${threshold - 1}, one at ${threshold}, no second at ${threshold + 1}`, async () => {
      const [first = "", inTime = "", late = ""] = keys;
      for (let index = 1; index < threshold; index++) await fail(index, who(first));
      expect(raised).to.have.length(0);
      await fail(threshold, who(first));
      expect(raised).to.have.length(1);
      expect(raised[0]).to.deep.include({ name, value: first, count: threshold, threshold, windowSeconds: 300 });
      await fail(threshold + 1, who(first));
      expect(raised).to.have.length(1);

      // The edge: what is 299.999 s old counts, what is 300 s old has left the window.
      for (let index = 1; index < threshold; index++) await fail(0, who(inTime));
      await fail(299.999, who(inTime));
      expect(raised).to.have.length(2);
      for (let index = 1; index < threshold; index++) await fail(0, who(late));
      await fail(300, who(late));
      expect(raised).to.have.length(2);

      const entries = await found(app, { action: "alert", category: "activity" });
      const own = entries.filter(({ details }) => details.alert === name);
      expect(own.map(({ details }) => details.value)).to.have.members([first, inTime]);
      expect(own.every(({ severity }) => severity === "critical")).to.equal(true);
    });
  }

  it("count an IPv6 /64 as one address, and an IPv4 address and another network beside it as others", async () => {
    for (let index = 1; index < 10; index++) {
      await fail(index, { ip: `2001:db8:9::${index}` });
      await fail(index, { ip: "203.0.113.99" });
      await fail(index, { ip: `2001:db8:9:1::${index}` });
    }
    expect(raised).to.have.length(0);
    await fail(10, { ip: "2001:db8:9:0:ffff::" });
    await fail(11, { ip: "2001:db8:9::ffff" });
    expect(raised.map(({ value, count }) => [value, count])).to.deep.equal([["2001:db8:9::/64", 10]]);
  });

  it("are told once of a subject that looks like a secret, too", async () => {
    const subject = "token=abcdefgh12345678";
    for (let index = 1; index <= 8; index++) await fail(index, { subject });
    expect(raised.map(({ value }) => value)).to.deep.equal([subject]);
  });

  it("fire again once the window is over, and count only their own key", async () => {
    for (let index = 0; index < 4; index++) await fail(index, { subject: "again" });
    for (let index = 0; index < 4; index++) await fail(index, { subject: "other" });
    expect(raised).to.have.length(0);
    await fail(5, { subject: "again" });
    for (let index = 0; index < 5; index++) await fail(400 + index, { subject: "again" });
    expect(raised.map(({ value }) => value)).to.deep.equal(["again", "again"]);
  });

  it("count what is told late in its own window, to the edge", async () => {
    for (const [subject, first] of [
      ["late, outside", 0],
      ["late, inside", 0.001],
    ] as const) {
      await fail(first, { subject });
      for (let index = 0; index < 3; index++) await fail(300, { subject });
      await fail(100, { subject });
    }
    expect(raised.map(({ value, count }) => [value, count])).to.deep.equal([["late, inside", 5]]);
  });

  it("fire by filter and window for anything else", async () => {
    const { activity } = app.log;
    const actor = { type: "user", id: "9" };
    // Another action, another's and one that failed count for nothing.
    for (const [seconds, action, id, outcome] of [
      [0, "export.csv", "9", "success"],
      [30, "export", "9", "success"],
      [35, "export", "10", "success"],
      [40, "export", "9", "failure"],
      [59, "report", "9", "success"],
      [60, "export.json", "9", "success"],
    ] as const)
      await activity.recordNow(action, { actor: { type: "user", id }, outcome, occurredAt: at(seconds) });
    expect(raised).to.have.length(0);
    await activity.recordNow("export", { actor, outcome: "success", occurredAt: at(61) });
    expect(raised.map(({ name, value }) => [name, value])).to.deep.equal([["exports", "9"]]);
    await activity.recordNow("meltdown", { severity: "critical", occurredAt: at(0) });
    await activity.recordNow("meltdown", { severity: "critical", occurredAt: at(9) });
    expect(raised.at(-1)).to.include({ name: "anything critical", by: null, value: null, count: 2 });
  });

  it("of a rule stand for their window: no second above the threshold within it, one where it is reached after it", async () => {
    const exported = (id: string, seconds: number) =>
      app.log.activity.recordNow("export", {
        actor: { type: "user", id },
        outcome: "success",
        occurredAt: at(seconds),
      });
    // The alert is of second 20, so its window of 60 s is over with second 80.
    for (const seconds of [0, 10, 20, 30, 40, 79.999]) await exported("goes on", seconds);
    expect(raised.map(({ value, count }) => [value, count])).to.deep.equal([["goes on", 3]]);
    await exported("goes on", 80);
    expect(raised.slice(1).map(({ value, count }) => [value, count])).to.deep.equal([["goes on", 4]]);

    // After a pause, counting begins anew: below the threshold there is none.
    for (const seconds of [0, 10, 20, 200, 210]) await exported("comes back", seconds);
    expect(raised.slice(2).map(({ value, count }) => [value, count])).to.deep.equal([["comes back", 3]]);
    await exported("comes back", 220);
    expect(raised.slice(3).map(({ value, count }) => [value, count])).to.deep.equal([["comes back", 3]]);

    const entries = await found(app, { action: "alert", actor: { type: "user" } });
    const moments = (id: string) =>
      entries.flatMap(({ actor, occurredAt }) => (actor?.id === id ? [(occurredAt.getTime() - start) / 1000] : []));
    expect(moments("goes on")).to.deep.equal([80, 20]);
    expect(moments("comes back")).to.deep.equal([220, 20]);
  });

  it("are not hidden by batches: what they count is written at once", async () => {
    for (let index = 0; index < 5; index++)
      app.log.activity.record("sign_in", { outcome: "failure", subject: "batched", occurredAt: at(index) });
    await until(() => raised.length === 1, "the alert");
    expect(raised[0]).to.include({ value: "batched", count: 5 });
  });

  it("count what is written within transactions once these are committed", async () => {
    const { activity } = app.log;
    for (const subject of ["committed", "rolled back"]) {
      await app.dataSource
        .transaction(async (manager) => {
          for (let index = 0; index < 5; index++)
            await activity.recordNow("sign_in", {
              within: manager,
              outcome: "failure",
              subject,
              occurredAt: at(index),
            });
          if (subject === "rolled back") throw new Error("roll back");
        })
        .catch(() => undefined);
    }
    await until(() => raised.length > 0, "the alert");
    await activity.flush();
    expect(raised.map(({ value }) => value)).to.deep.equal(["committed"]);
  });

  it("are exact over two processes' connections at once: one alert at the threshold, none below it", async () => {
    const others = await Promise.all(
      [1, 2].map(() =>
        newDataSource(
          app.database.url,
          [Account],
          {},
          { activity: { batch: false, retentionDays: "forever" } },
        ).initialize(),
      ),
    );
    try {
      for (let round = 0; round < 10; round++) {
        const subjects = [`full ${round}`, `short ${round}`];
        const counts = [5, 4];
        await Promise.all(
          subjects.flatMap((subject, which) =>
            Array.from({ length: counts[which] ?? 0 }, async (_, index) => {
              const log = eventLog(others[index % 2] ?? app.dataSource);
              await log.activity.recordNow("sign_in", { outcome: "failure", subject, occurredAt: at(index) });
            }),
          ),
        );
      }
      const alerts = await found(app, { action: "alert" });
      const values = alerts
        .map(({ details }) => String(details.value))
        .filter((value) => /^(?:full|short) /.test(value));
      expect(values.sort()).to.deep.equal(Array.from({ length: 10 }, (_, round) => `full ${round}`).sort());
    } finally {
      for (const dataSource of others) await dataSource.destroy();
    }
  });
});

describe("counting failures before a sign-in", function () {
  this.timeout(30_000);

  it("sees what is still queued, and only what is in the window", async () => {
    const app = await startActivity({ batch: { size: 1_000, intervalMs: 600_000 }, alerts: false });
    try {
      const { activity } = app.log;
      const now = Date.now();
      for (let index = 0; index < 3; index++) activity.record("sign_in", { outcome: "failure", subject: "queued" });
      activity.record("sign_in", { outcome: "failure", subject: "queued", occurredAt: new Date(now - 61_000) });
      activity.record("sign_in", { outcome: "success", subject: "queued" });
      activity.record("sign_in", { outcome: "failure", subject: "else" });
      activity.record("export", { outcome: "failure", subject: "queued" });
      expect(await activity.failures({ subject: "queued", windowSeconds: 60 })).to.equal(3);
      expect(await activity.failures({ subject: "queued", windowSeconds: 62 })).to.equal(4);
    } finally {
      await app.stop();
    }
  });

  for (const ipPrivacy of ["none", "hash", "truncate"] as const) {
    it(`finds the address that was blocked under ipPrivacy "${ipPrivacy}", in any spelling`, async () => {
      const app = await startActivity({ ipPrivacy, ipSecret: "a secret of some length" });
      try {
        app.log.activity.record("sign_in", { outcome: "failure", request: { ip: "203.0.113.77" } });
        expect(await app.log.activity.failures({ ip: "::ffff:203.0.113.77" })).to.equal(1);
        expect(await app.log.activity.failures({ ip: "198.51.100.77" })).to.equal(0);
      } finally {
        await app.stop();
      }
    });
  }

  for (const [ipPrivacy, ipv6TruncationMask] of [
    ["none", 48],
    ["hash", 48],
    ["truncate", 80],
    ["truncate", 64],
    ["truncate", 56],
  ] as const) {
    it(`counts an IPv6 /64 as one address, under ipPrivacy "${ipPrivacy}" of ${ipv6TruncationMask} bits`, async () => {
      const app = await startActivity({ ipPrivacy, ipv6TruncationMask, ipSecret: "a secret of some length" });
      try {
        const { activity } = app.log;
        // Each in another spelling of what comes before the last 64 bits.
        const own = ["2001:db8::1", "2001:db8::1:2:3:4", "2001:db8:0:0:5::", "2001:db8::5:0:0:1", "2001:db8::"];
        for (const ip of own) activity.record("sign_in", { outcome: "failure", request: { ip } });
        for (const ip of ["2001:db8:1::1", "::1", "2001:db8:0:ff00::1", "203.0.113.1"])
          activity.record("sign_in", { outcome: "failure", request: { ip } });
        expect(await activity.failures({ ip: "2001:db8::77" })).to.equal(own.length);
        expect(await activity.failures({ request: { ip: "2001:db8::78" } })).to.equal(own.length);
        expect(await activity.failures({ ip: "2001:db8:0:ff00::9" })).to.equal(1);
        expect(await activity.failures({ ip: "::2" })).to.equal(1);
        expect(await activity.failures({ ip: "203.0.113.1" })).to.equal(1);
      } finally {
        await app.stop();
      }
    });
  }

  it("is not kept from counting by a row whose address is none", async () => {
    const app = await startActivity();
    try {
      app.log.activity.record("sign_in", { outcome: "failure", request: { ip: "2001:db8::1" } });
      await app.log.activity.flush();
      for (const ip of [
        "::::",
        "1::2::3",
        "1:2:3:4:5:6:7:8:9",
        ":1:2:3",
        "2001:db8::1/129",
        "g::1",
        "",
        "1:2:3:4:5:6:7::8:9",
      ])
        await app.query(
          `insert into chronicle.activity (id, occurred_at, log, action, outcome, severity, params, details, request, node, source)
          select gen_random_uuid(), now(), 'default', 'sign_in', 'failure', 'info', '{}', '{}', jsonb_build_object('ip', $1::text), 'x', 'server'`,
          [ip],
        );
      expect(await app.log.activity.failures({ ip: "2001:db8::2" })).to.equal(1);
    } finally {
      await app.stop();
    }
  });

  it("finds the address of a request behind a trusted proxy, as it was recorded, and not the proxy's", async () => {
    const app = await startActivity({ trustProxy: "10.0.0.0/8", ipPrivacy: "truncate" });
    try {
      const from = (ip: string) => ({ headers: { "x-forwarded-for": ip }, socket: { remoteAddress: "10.0.0.1" } });
      app.log.activity.record("sign_in", { outcome: "failure", request: from("203.0.113.77") });
      expect(await app.log.activity.failures({ request: from("203.0.113.77") })).to.equal(1);
      expect(await app.log.activity.failures({ request: from("198.51.100.77") })).to.equal(0);
      expect(await app.log.activity.failures({ ip: "10.0.0.1" })).to.equal(0);
      expect(await app.log.activity.failures({ request: {} })).to.equal(0);
    } finally {
      await app.stop();
    }
  });

  it("refuses to count by addresses that are not kept", async () => {
    const app = await startActivity({ ipPrivacy: "exclude" });
    try {
      const error = await app.log.activity.failures({ ip: "203.0.113.77" }).catch((problem: unknown) => problem);
      expect(error).to.be.instanceOf(EventLogError).with.property("code", "OPTIONS_INVALID");
    } finally {
      await app.stop();
    }
  });
});
