import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import express from "express";
import fastify from "fastify";
import { type Handler, withRequestContext } from "../../src/index.js";
import type { TrackedApplication } from "../tracked-application.js";
import { found, startActivity } from "./activity-log.js";

const post = (body: unknown, headers: Record<string, string> = {}) =>
  new Request("http://app.example/activity", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

describe("the handler for front ends", function () {
  this.timeout(30_000);

  let app: TrackedApplication;
  let handler: Handler;
  before(async () => {
    app = await startActivity({ client: { maxBytes: 500, perMinute: 50 } });
    handler = app.log.activity.clientHandler();
  });
  after(() => app.stop());

  const answer = async (request: Request) => {
    const response = await handler(request);
    return [response.status, await response.json()] as const;
  };

  it("records what it is told, as the client's word", async () => {
    const said = {
      appName: "shop",
      modelName: "Order",
      operation: "order.cancel",
      component: "OrderPage",
      description: "changed my mind",
      severity: "medium",
      success: true,
      metadata: { step: 2, password: "x" },
    };
    const status = await withRequestContext({ actor: { type: "user", id: 1 } }, () => answer(post(said)));
    expect(status).to.deep.equal([202, { ok: true, error: null }]);
    const [entry] = await found(app, { action: "order.cancel" });
    expect(entry).to.deep.include({
      source: "client",
      category: "client",
      outcome: "success",
      severity: "warning",
      actor: { type: "user", id: "1", name: null },
      resource: { type: "Order", key: null },
      details: { appName: "shop", component: "OrderPage", description: "changed my mind", metadata: { step: 2 } },
    });
  });

  it("lets nobody set the actor, the time or a severity above warning", async () => {
    const said = {
      operation: "forged",
      severity: "critical",
      actor: { type: "admin", id: 1 },
      occurredAt: "2001-01-01T00:00:00Z",
      id: "x",
      subject: "victim",
      source: "server",
      tenant: "other",
    };
    expect((await answer(post(said)))[0]).to.equal(202);
    const [entry] = await found(app, { action: "forged" });
    expect(entry).to.deep.include({ severity: "warning", actor: null, source: "client", subject: null, tenant: null });
    expect(entry?.occurredAt.getFullYear()).to.be.greaterThan(2020);
  });

  it("counts for no alert and no check of failed sign-ins", async () => {
    const said = { operation: "sign_in", success: false };
    for (let index = 0; index < 12; index++) {
      await withRequestContext({ actor: { type: "user", id: "victim" }, request: { ip: "203.0.113.5" } }, () =>
        answer(post(said)),
      );
    }
    expect(await found(app, { action: "sign_in", outcome: "failure", actor: "victim" })).to.have.length(12);
    expect(await app.log.activity.failures({ actor: "victim" })).to.equal(0);
    expect(await found(app, { action: "alert" })).to.have.length(0);
  });

  const refusals: [string, () => Request, number, RegExp][] = [
    ["another method", () => new Request("http://app.example/"), 405, /POST/],
    ["a form", () => post("a=b", { "content-type": "application/x-www-form-urlencoded" }), 415, /application\/json/],
    ["no JSON", () => post("{"), 400, /JSON object/],
    ["a list", () => post([1]), 400, /JSON object/],
    ["no operation", () => post({ severity: "low" }), 400, /operation/],
    ["an unknown severity", () => post({ operation: "x", severity: "huge" }), 400, /severity/],
    ["success as a word", () => post({ operation: "x", success: "yes" }), 400, /success/],
    ["metadata that is no object", () => post({ operation: "x", metadata: "m" }), 400, /metadata/],
    ["too much", () => post({ operation: "x", description: "y".repeat(600) }), 413, /500 bytes/],
  ];
  for (const [what, request, status, message] of refusals) {
    it(`refuses ${what} with ${status}`, async () => {
      const [found, body] = await answer(request());
      expect(found).to.equal(status);
      expect(body).to.include({ ok: false }).and.property("error").to.match(message);
    });
  }

  it("refuses one sender's entries beyond the limit, and not another's", async () => {
    const of = (id: string) =>
      withRequestContext({ actor: { type: "user", id } }, () => answer(post({ operation: "flood" })));
    const statuses = [];
    for (let index = 0; index < 52; index++) statuses.push((await of("flooder"))[0]);
    expect(statuses.filter((status) => status === 202)).to.have.length(50);
    expect(statuses.slice(50)).to.deep.equal([429, 429]);
    expect((await of("other"))[0]).to.equal(202);
  });

  it("tells senders behind a trusted proxy apart by the address that it names", async () => {
    const behind = await startActivity({ client: { perMinute: 1 }, trustProxy: "loopback" });
    const web = express();
    web.post("/activity", behind.log.activity.clientHandler().express);
    const server = createServer(web).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const statusOf = async (client: string) => {
        const { port } = server.address() as AddressInfo;
        const headers = { "content-type": "application/json", "x-forwarded-for": client };
        const body = JSON.stringify({ operation: "x" });
        return (await fetch(`http://127.0.0.1:${port}/activity`, { method: "POST", headers, body })).status;
      };
      expect([await statusOf("192.0.2.1"), await statusOf("192.0.2.2"), await statusOf("192.0.2.1")]).to.deep.equal([
        202, 202, 429,
      ]);
      // Whoever has one address of an IPv6 /64 has the others too.
      expect([
        await statusOf("2001:db8::1"),
        await statusOf("2001:db8::ffff:1"),
        await statusOf("2001:db8:0:1::1"),
      ]).to.deep.equal([202, 429, 202]);
    } finally {
      server.close();
      await behind.stop();
    }
  });

  it("answers 404 where front ends are not let in", async () => {
    const other = await startActivity();
    try {
      expect((await other.log.activity.clientHandler()(post({ operation: "x" }))).status).to.equal(404);
    } finally {
      await other.stop();
    }
  });

  for (const parser of [false, true]) {
    it(`works in Express, ${parser ? "behind" : "without"} a body parser`, async () => {
      const web = express();
      if (parser) web.use(express.json());
      web.post("/activity", handler.express);
      const server = createServer(web).listen(0, "127.0.0.1");
      await once(server, "listening");
      try {
        expect(await viaHttp(server.address() as AddressInfo, `express-${parser}`)).to.deep.equal([
          202,
          { ok: true, error: null },
        ]);
        const [entry] = await found(app, { action: `express-${parser}` });
        expect(entry?.request).to.include({ ip: "127.0.0.1", method: "POST", path: "/activity" });
      } finally {
        server.close();
      }
    });
  }

  it("works in Fastify", async () => {
    const web = fastify();
    web.post("/activity", handler.fastify);
    await web.listen({ port: 0, host: "127.0.0.1" });
    try {
      expect(await viaHttp(web.server.address() as AddressInfo, "fastify")).to.deep.equal([
        202,
        { ok: true, error: null },
      ]);
      const [entry] = await found(app, { action: "fastify" });
      expect(entry?.request).to.include({ ip: "127.0.0.1", method: "POST", path: "/activity" });
    } finally {
      await web.close();
    }
  });
});

async function viaHttp({ port }: AddressInfo, operation: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/activity`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ operation }),
  });
  return [response.status, await response.json()];
}

describe("reading, exporting and cleaning up over HTTP", function () {
  this.timeout(30_000);

  const calls: [method: string, path: string, access: string][] = [
    ["GET", "search?action=seen", "read"],
    ["GET", "summary", "read"],
    ["GET", "stats", "read"],
    ["GET", "export?format=csv", "export"],
    ["POST", "cleanup?olderThanDays=400&dryRun=true", "cleanup"],
  ];
  const json = { "content-type": "application/json" };
  const ask = (handler: Handler, [method, path]: readonly [string, string, string]) =>
    handler(
      new Request(`http://app.example/admin/activity/${path}`, { method, headers: method === "POST" ? json : {} }),
    );

  it("is denied by default, and that is recorded", async () => {
    const app = await startActivity();
    try {
      const handler = app.log.activity.adminHandler();
      for (const call of calls) {
        const response = await ask(handler, call);
        expect(response.status, call[1]).to.equal(403);
        expect(await response.json()).to.include({ ok: false });
      }
      const entries = await found(app, { category: "access" });
      expect(entries.map(({ outcome }) => outcome)).to.deep.equal(calls.map(() => "denied"));
      expect(new Set(entries.map(({ action }) => action))).to.deep.equal(
        new Set(["activity.read", "activity.export", "activity.cleanup"]),
      );
    } finally {
      await app.stop();
    }
  });

  it("waits for who asks, and does nothing for what it does not take or understand", async () => {
    const app = await startActivity({ authorize: (_access, user) => user === "auditor" });
    try {
      const nobody = app.log.activity.adminHandler({ user: () => Promise.resolve(null) });
      expect((await ask(nobody, calls[0]!)).status).to.equal(403);
      const handler = app.log.activity.adminHandler({ user: () => Promise.resolve("auditor") });
      for (const call of calls) expect((await ask(handler, call)).status, call[1]).to.equal(200);
      for (const wrong of [
        "cleanup",
        "cleanup?olderThanDays=",
        "cleanup?olderThanDays=0&dryRun=1",
        "cleanup?olderThanDays=0&dryrun=true",
        "cleanup?olderThanDays=0&action=seen",
        "cleanup?olderThanDays=0&olderThanDays=400",
      ]) {
        const response = await ask(handler, ["POST", wrong, "cleanup"]);
        expect(response.status, wrong).to.equal(400);
      }
      for (const wrong of [
        "search?limit=",
        "search?outcome=failure&outcome=denied",
        "summary?hours=",
        "stats?hours=1",
        "export?limit=1",
        "export?outcome=good",
      ])
        expect((await ask(handler, ["GET", wrong, "read"])).status, wrong).to.equal(400);
      const foreign = new Request("http://app.example/cleanup?olderThanDays=0", {
        method: "POST",
        headers: { ...json, "sec-fetch-site": "cross-site" },
      });
      expect((await handler(foreign)).status).to.equal(403);
      expect(await found(app), "nothing was deleted").to.have.length(19);
      const aborted = { olderThanDays: 0, signal: AbortSignal.abort() };
      expect((await app.log.activity.cleanup(aborted)).entries).to.equal(0);
      expect(() => app.log.activity.adminHandler({ usr: () => 1 } as never)).to.throw(
        'unknown option "usr". Did you mean "user"?',
      );
    } finally {
      await app.stop();
    }
  });

  it("takes nothing but true for a yes, and throws on what authorize throws", async () => {
    const answers = ["yes", 1, {}, undefined, Promise.resolve("yes"), Promise.resolve(false)];
    for (const answer of answers) {
      const app = await startActivity({ authorize: () => answer as boolean });
      try {
        const handler = app.log.activity.adminHandler();
        for (const call of calls) expect((await ask(handler, call)).status, call[1]).to.equal(403);
      } finally {
        await app.stop();
      }
    }
    const app = await startActivity({ authorize: () => Promise.reject(new Error("who?")) });
    try {
      const handler = app.log.activity.adminHandler();
      for (const call of calls) {
        const error = await ask(handler, call).catch((problem: unknown) => problem);
        expect(error, call[1]).to.have.property("message", "who?");
      }
    } finally {
      await app.stop();
    }
  });

  it("asks authorize with the action and the user, answers, and records who did it", async () => {
    const asked: unknown[] = [];
    const app = await startActivity({
      authorize: (action, user) => {
        asked.push([action, (user as { id: string }).id]);
        return (user as { id: string }).id === "boss";
      },
    });
    try {
      app.log.activity.record("seen");
      const handler = app.log.activity.adminHandler();
      const as = <T>(id: string, work: () => T) => withRequestContext({ actor: { type: "user", id } }, work);
      for (const call of calls) {
        expect((await as("clerk", () => ask(handler, call))).status).to.equal(403);
        expect((await as("boss", () => ask(handler, call))).status).to.equal(200);
      }
      expect(asked).to.deep.equal(
        calls.flatMap(([, , access]) => [
          [access, "clerk"],
          [access, "boss"],
        ]),
      );
      const [first] = calls;
      const body = (await (await as("boss", () => ask(handler, first ?? ["", "", ""]))).json()) as {
        entries: object[];
      };
      expect(body.entries).to.have.length(1);
      const exports = await found(app, { action: "activity.export" });
      expect(exports.map(({ actor, outcome }) => [actor?.id, outcome])).to.deep.equal([
        ["boss", "success"],
        ["clerk", "denied"],
      ]);
      const csv = await (await as("boss", () => ask(handler, ["GET", "export?format=csv", "export"]))).text();
      expect(csv.split("\r\n")[0]).to.match(/^id,occurredAt,log,action/);
      expect((await as("boss", () => ask(handler, ["GET", "search?nonsense=1", "read"]))).status).to.equal(400);
      expect((await as("boss", () => ask(handler, ["DELETE", "search", "read"]))).status).to.equal(404);
    } finally {
      await app.stop();
    }
  });

  it("refuses every parameter that is odd, and tells browsers to keep and guess nothing", async () => {
    const app = await startActivity({ authorize: () => true });
    try {
      const handler = app.log.activity.adminHandler();
      const given = `nonsense=1 signal=1 onProgress=1 format=xml __proto__=1 constructor=1 toString=1 =1 actor[type]=user
        action[]=x action=a&action=b limit=1e9&limit=1 olderThanDays[]=0 limit=-1 limit=NaN limit=1.5 hours=-1 hours=x
        olderThanDays=-1 olderThanDays=x dryRun=1 from=soon to=2026 ip=nowhere outcome=good source=robot severity=high
        subject=%00 action=%00*`;
      const odd = [...given.split(/\s+/), `action=${"x".repeat(1_001)}`, `${"x".repeat(1_001)}=1`];
      for (const [method, path] of calls) {
        for (const parameter of odd) {
          const [call = ""] = path.split("?");
          const base = call === "cleanup" && !parameter.startsWith("olderThanDays") ? "olderThanDays=400&" : "";
          const response = await ask(handler, [method, `${call}?${base}${parameter}`, ""]);
          expect(response.status, `${call}?${parameter.slice(0, 50)}`).to.equal(400);
          expectGuarded(response);
        }
      }
    } finally {
      await app.stop();
    }
  });

  it("guards every answer, whatever it is", async () => {
    const app = await startActivity({ authorize: (access) => access !== "export", client: {} });
    try {
      const answers = [
        ...calls.map((call) => ask(app.log.activity.adminHandler(), call)),
        ask(app.log.activity.adminHandler(), ["DELETE", "search", ""]),
        app.log.activity.clientHandler()(post({ operation: "x" })),
        app.log.activity.clientHandler()(post("{")),
        app.log.activity.clientHandler()(new Request("http://app.example/")),
      ];
      for (const answer of answers) expectGuarded(await answer);
    } finally {
      await app.stop();
    }
  });

  it("changes nothing for another origin, or for what a form can send", async () => {
    const app = await startActivity({ authorize: () => true, client: { perMinute: 1_000 } });
    try {
      app.log.activity.record("seen");
      const [admin, client] = [app.log.activity.adminHandler(), app.log.activity.clientHandler()];
      const send = async (headers: Record<string, string>) => {
        const body = JSON.stringify({ operation: "sent" });
        const cleanup = new Request("http://app.example/cleanup?olderThanDays=0&action=x", { method: "POST", headers });
        const entry = new Request("http://app.example/activity", { method: "POST", headers, body });
        return [(await admin(cleanup)).status, (await client(entry)).status];
      };
      for (const site of ["cross-site", "same-site", "x"])
        expect(await send({ ...json, "sec-fetch-site": site }), site).to.deep.equal([403, 403]);
      for (const origin of ["http://evil.example", "http://app.example.evil.example", "http://app.example:81", "null"])
        expect(await send({ ...json, origin }), origin).to.deep.equal([403, 403]);
      for (const type of [
        "text/plain",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
      ])
        expect(await send({ "content-type": type }), type).to.deep.equal([415, 415]);
      expect(await send({})).to.deep.equal([415, 415]);
      const own = [
        {},
        { "sec-fetch-site": "same-origin" },
        { "sec-fetch-site": "none" },
        { origin: "http://app.example" },
      ];
      for (const headers of own)
        expect((await send({ ...json, ...headers }))[1], JSON.stringify(headers)).to.equal(202);
      expect(await found(app, { action: "seen" })).to.have.length(1);
      expect(await found(app, { action: "sent" })).to.have.length(own.length);
    } finally {
      await app.stop();
    }
  });
});

function expectGuarded({ headers }: Response): void {
  expect(headers.get("cache-control")).to.equal("no-store");
  expect(headers.get("x-content-type-options")).to.equal("nosniff");
  expect(headers.get("content-type")).to.match(/^(?:application\/(?:json|x-ndjson)|text\/csv)/);
}
