import { eventLog } from "../../../src/index.js";
import { newDataSource } from "../../tracked-application.js";
import { Account } from "../entities.js";
import type { Attack } from "./attack.js";
import type { Scene } from "./scene.js";

interface Sent {
  readonly path: string;
  readonly init?: RequestInit;
}

const json = { "content-type": "application/json" };
const cleanup = (query: string, headers: Record<string, string> = json, init: RequestInit = {}): Sent => ({
  path: `/admin/cleanup${query}`,
  init: { method: "POST", headers, ...init },
});

/** What a client may send to whoever reads, ends or adds entries; `who` is what the application says of the sender. */
const requests: Readonly<Record<string, { readonly who?: string; readonly sent: readonly Sent[] }>> = {
  "asks for everything without being anybody": {
    sent: [
      "search",
      "export",
      "summary",
      "stats",
      "export?format=csv",
      "search?limit=1000",
      "SEARCH",
      "search/",
      "./search",
    ].map((call) => ({ path: `/admin/${call}` })),
  },
  "says who it is by headers and parameters": {
    sent: ["user=auditor", "authorize=true", "__proto__[id]=auditor", "constructor=x"].map((query) => ({
      path: `/admin/search?${query}`,
      init: {
        headers: {
          "x-user": "auditor",
          authorization: "auditor",
          cookie: "user=auditor",
          "x-http-method-override": "GET",
        },
      },
    })),
  },
  "ends entries without being allowed to": {
    who: "reader",
    sent: [cleanup("?olderThanDays=0"), cleanup("?olderThanDays=0&dryRun=false")],
  },
  "has an auditor's browser end entries from another site": {
    who: "auditor",
    sent: [
      cleanup("?olderThanDays=0", { ...json, "sec-fetch-site": "cross-site" }),
      cleanup("?olderThanDays=0", { ...json, "sec-fetch-site": "same-site" }),
      cleanup("?olderThanDays=0", { ...json, origin: "https://evil.example" }),
      cleanup("?olderThanDays=0", { ...json, origin: "null" }),
      cleanup("?olderThanDays=0", { "content-type": "text/plain" }),
      cleanup("?olderThanDays=0", { "content-type": "application/x-www-form-urlencoded" }),
      cleanup("?olderThanDays=0", { "content-type": "text/plain; application/json" }),
      cleanup("?olderThanDays=0", {}),
      { path: "/admin/cleanup?olderThanDays=0" },
    ],
  },
  "has an auditor end more than is meant, by odd parameters": {
    who: "auditor",
    sent: [
      "",
      "?olderThanDays=",
      "?olderThanDays=%20",
      "?olderThanDays=-1",
      "?olderThanDays=NaN",
      "?olderThanDays=1e400",
      "?olderThanDays=1e7",
      "?olderThanDays=400&olderThanDays=0",
      "?olderThanDays=0&dryRun=1",
      "?olderThanDays=0&dryRun=",
      "?olderThanDays=0&DryRun=true",
      "?olderthandays=0",
      "?olderThanDays[]=0",
      "?olderThanDays=0;x",
      "?olderThanDays=0%00",
      `?olderThanDays=${"0".repeat(2_000)}`,
    ].map((query) => cleanup(query)),
  },
  "asks for figures of impossible times": {
    who: "auditor",
    sent: ["1e308", "1e400", "1e9", "-1", "NaN", "0", ""].map((hours) => ({ path: `/admin/summary?hours=${hours}` })),
  },
  "searches by patterns that take long, or that are SQL": {
    who: "auditor",
    sent: [
      `action=${"*a".repeat(400)}b`,
      `action=${"%25_".repeat(200)}`,
      "subject=%27%3B%20drop%20table%20account%3B--",
      "actor=%5C%27%20or%20true--",
      "limit=-1",
      "limit=1e9",
      "limit=NaN",
      "from=x",
      "from=infinity",
      "outcome=', true)--",
      "action=%00",
      "resource=__proto__",
    ].map((query) => ({ path: `/admin/search?${query}` })),
  },
  "says in the browser's name what only the server says": {
    sent: [
      {
        operation: "sign_in",
        success: false,
        actor: { type: "user", id: "victim" },
        source: "server",
        severity: "critical",
      },
      { operation: "alert", category: "activity", details: { alert: "failuresPerSubject" } },
      { operation: "gap", category: "activity" },
    ].map((body) => ({ path: "/client", init: { method: "POST", headers: json, body: JSON.stringify(body) } })),
  },
  "sends the browser's handler what is no action": {
    sent: [
      "",
      "null",
      "[]",
      '"x"',
      "{",
      `{"operation": ${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
      `{"operation": "${"x".repeat(40_000)}"}`,
      '{"operation": {"$gt": ""}}',
      '{"__proto__": {"operation": "x"}}',
      '{"operation": "x", "metadata": [1]}',
      '{"operation": "x", "success": 1}',
    ].map((body) => ({ path: "/client", init: { method: "POST", headers: json, body } })),
  },
};

export const httpAttacks: readonly Attack[] = Object.entries(requests).map(([title, { who, sent }]) => ({
  title,
  as: "stranger",
  run: async (scene: Scene) => {
    const dataSource = newDataSource(
      scene.urlOf("owner"),
      [Account],
      {},
      {
        activity: {
          alerts: false,
          client: true,
          authorize: (_action, user) => (user as string) === "auditor",
        },
      },
    );
    await dataSource.initialize();
    const { activity } = eventLog(dataSource);
    const handlers = { admin: activity.adminHandler({ user: () => who ?? null }), client: activity.clientHandler() };
    const before = await kept(scene);
    const said: string[] = [];
    for (const { path, init } of sent) {
      const started = performance.now();
      const request = new Request(`http://app.example${path}`, init);
      const response = await (path.startsWith("/client") ? handlers.client : handlers.admin)(request).catch(
        (error: unknown) => Response.json({ thrown: String(error) }, { status: 500 }),
      );
      const body = await response.text();
      if (who !== "auditor") scene.receive(body);
      if (response.status >= 500) said.push(`${path.slice(0, 60)}: ${response.status} ${body.slice(0, 200)}`);
      if (performance.now() - started > 3_000) said.push(`${path.slice(0, 60)}: took more than three seconds`);
      if (response.headers.get("cache-control") !== "no-store") said.push(`${path.slice(0, 60)}: may be kept`);
    }
    await activity.flush();
    await dataSource.destroy();
    if ((await kept(scene)) !== before) said.push("entries are gone");
    const forged = await scene.query(`select action, source, severity, actor_id from chronicle.activity where
      category is not distinct from 'activity' and action in ('alert', 'gap') or actor_id = 'victim' or action in ('sign_in', 'alert', 'gap') and source = 'server' and subject is null`);
    if (forged.length > 0) said.push(`forged: ${JSON.stringify(forged)}`);
    await scene.begin("stranger");
    return said.join("; ");
  },
}));

/** The entries that were there when the log was made. */
async function kept(scene: Scene): Promise<string> {
  const [row] = await scene.query(
    "select count(*) as n from chronicle.activity where action = 'sign_in' and subject is not null",
  );
  return row?.["n"] ?? "";
}
