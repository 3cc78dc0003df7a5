import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Activity, type RequestContext, withRequestContext } from "../../../src/index.js";
import { ada } from "../actors.js";
import { Note } from "../model.js";
import type { Stage } from "./stage.js";

const passwords: Readonly<Record<string, string>> = { ada: "countess" };
/** As many failures of one account in five minutes close it for a while. */
const mostFailures = 5;
const attackersPasswords = [
  "123456",
  "passw0rd",
  "qwerty",
  "letmein",
  "countess1",
  "ada1815",
  "lovelace",
  "analytical",
];

class Refused extends Error {}

/** A sign-in as an application has it: a check against brute force first, then the attempt, recorded however it ends. */
async function attempt(activity: Activity, login: string, password: string, request: object): Promise<void> {
  if ((await activity.failures({ subject: login })) >= mostFailures) {
    activity.record("sign_in", { outcome: "denied", subject: login, strategy: "password", request });
    throw new Refused("Too many attempts.");
  }
  await activity.audit(
    "sign_in",
    { subject: login, strategy: "password", params: { login, password }, request },
    () => {
      if (passwords[login] !== password) throw new Error("invalid credentials");
    },
  );
}

function requestFrom(address: string): object {
  return {
    method: "POST",
    originalUrl: "/session",
    headers: { host: "countries.example", "user-agent": "Mozilla/5.0" },
    socket: { remoteAddress: address, remotePort: 50_000 },
  };
}

/** What people did or tried, beside what changed: a sign-in with its writes, a brute-force attempt, an export of all of it. */
export async function signIn({ dataSource, log, report, expect }: Stage): Promise<void> {
  const { activity } = log;
  const home: RequestContext = { ...ada, request: requestFrom("198.51.100.7") };
  await withRequestContext(home, async () => {
    await attempt(activity, "ada", "countess", home.request ?? {});
    const notes = dataSource.getRepository(Note);
    const [note] = await notes.find({ order: { id: "ASC" }, take: 1 });
    if (note !== undefined) await notes.save(Object.assign(note, { text: `${note.text} (read again)` }));
  });
  const [entry] = await all(activity.search({ action: "sign_in", outcome: "success", limit: 1 }));
  const events = await all(log.events({ correlationId: entry?.correlationId ?? "none" }));
  expect(events.length === 1, `The sign-in's request wrote ${events.length} events and not one.`);

  let refused = 0;
  for (const password of attackersPasswords) {
    await attempt(activity, "ada", password, requestFrom("203.0.113.66")).catch((error: unknown) => {
      if (error instanceof Refused) refused++;
    });
  }
  const failures = await activity.failures({ subject: "ada" });
  expect(
    failures === mostFailures,
    `${failures} attempts failed before the account was closed, and not ${mostFailures}.`,
  );
  expect(refused === attackersPasswords.length - mostFailures, `${refused} attempts were refused.`);
  const alerts = await all(activity.search({ action: "alert" }));
  expect(alerts.length === 1, `The attack raised ${alerts.length} alerts and not one.`);

  const folder = await mkdtemp(join(tmpdir(), "chronicle-countries-"));
  try {
    const file = join(folder, "audit.jsonl");
    activity.record("audit.export", { outcome: "success", actor: ada.actor });
    const { entries } = await activity.export(file);
    const text = await readFile(file, "utf8");
    const leaks = ["countess", ...attackersPasswords].filter((password) => text.includes(password)).length;
    expect(leaks === 0, `${leaks} passwords can be read in the export.`);
    const summary = await activity.summary({ hours: 1 });
    expect(summary.total === entries, `The summary counts ${summary.total} entries, the export has ${entries}.`);
    if (entry !== undefined)
      report.tell("signedIn", {
        session: { entry, events },
        attack: { failures, refused },
        alerts,
        summary,
        exported: { file: "audit.jsonl", entries, leaks },
      });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function all<T extends object>(found: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of found) list.push(one);
  return list;
}
