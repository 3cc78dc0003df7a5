import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DataSource } from "typeorm";
import { eventLog, type PointInTime } from "../../src/index.js";
import { withOwnSession, withPooledSession } from "../../src/core/session.js";
import { resolvePoint } from "../../src/log/point-in-time.js";
import { type Report, rounded } from "../report.js";
import { median } from "../rounds.js";
import { inChild } from "./child.js";
import { Customer } from "./shop.js";

const times = 60;

/** What does not grow with the log, or should not: memory of Node, one record, points in time. */
export async function scale(dataSource: DataSource, url: string, events: number): Promise<Report[]> {
  return [await memory(url, events), await small(dataSource, events)];
}

async function memory(url: string, events: number): Promise<Report> {
  const rows = [];
  for (const what of Object.keys(inChild)) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      fileURLToPath(new URL("./child.js", import.meta.url)),
      what,
      url,
    ]);
    const { before, peak } = JSON.parse(stdout) as { before: number; peak: number };
    rows.push({ "": what, "MB before": Math.round(before), "MB at most": Math.round(peak), aim: "≤ 100" });
  }
  return { title: `Node's resident set with ${events} events, each in a process of its own`, rows };
}

async function small(dataSource: DataSource, events: number): Promise<Report> {
  const log = eventLog(dataSource);
  const ids = (await dataSource.query<{ id: string }[]>(`select id from customer order by id limit ${times}`)).map(
    ({ id }) => id,
  );
  const [span] = await dataSource.query<{ last: string; from: Date; to: Date }[]>(
    "select max(position) as last, min(occurred_at) as from, max(occurred_at) as to from chronicle.event",
  );
  const last = Number(span?.last);
  const position = (index: number) => BigInt(Math.ceil((last * (index + 1)) / (times + 1)));
  const [from, to] = [span?.from.getTime() ?? 0, span?.to.getTime() ?? 0];
  const time = (index: number) => new Date(from + ((to - from) * (index + 1)) / (times + 1));
  await log.bookmark("scale");
  await withOwnSession(dataSource, (session) => session.run("analyze"));
  // On a connection of the application's pool, as reads have it: a new one has the catalog to read and functions to compile.
  const resolve = (point: PointInTime) =>
    withPooledSession(dataSource, async (session) => {
      const started = performance.now();
      await resolvePoint(session, dataSource, point);
      return performance.now() - started;
    });
  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const each: [string, string, (index: number) => Promise<number>][] = [
    ["history of one record", "≤ 0.5", (index) => timed(() => log.history(Customer, ids[index] ?? ""))],
    ["a position, resolved", "2 to 4", (index) => resolve(position(index))],
    ["a time, resolved", "2 to 4", (index) => resolve(time(index))],
    ["a bookmark, resolved", "", () => resolve({ bookmark: "scale" })],
    ["at() of one record", "", (index) => timed(() => log.at(Customer, ids[index] ?? "", { bookmark: "scale" }))],
  ];
  const rows = [];
  for (const [name, aim, run] of each) {
    const samples: number[] = [];
    for (let index = 0; index < times; index++) samples.push(await run(index));
    rows.push({ "": name, ms: rounded(median(samples)), aim });
  }
  return { title: `One record and points in time in ${events} events (medians of ${times})`, rows };
}
