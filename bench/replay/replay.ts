import { DataSource } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { withDatabases } from "../database.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded } from "../report.js";
import { timed } from "../rounds.js";
import { type CopiedRows, copyRows } from "./copy.js";
import { makeHistory } from "./history.js";
import { oneAtATime } from "./one-at-a-time.js";
import { scale } from "./scale.js";
import { shopEntities, shopTables } from "./shop.js";

/**
 * Rebuilding three tables with foreign keys from their events, against COPY of the rows that come out; from a million events on
 * with a tenth of them first, to see what grows.
 */
export async function replay({ rounds, events }: BenchOptions): Promise<Report[]> {
  const slow = await withDatabases(1, ([url = ""]) => oneAtATime(url));
  const sizes = events < 1_000_000 ? [events] : [Math.round(events / 10), events];
  const reports: Report[] = [];
  for (const size of sizes) reports.push(...(await ofSize(size, rounds ?? (size < 1_000_000 ? 3 : 1), slow)));
  return reports;
}

async function ofSize(events: number, rounds: number, slow: number): Promise<Report[]> {
  return withDatabases(1, async ([url = ""]) => {
    const dataSource = new DataSource(
      withEventLog({ type: "postgres", url, entities: shopEntities, synchronize: true }),
    );
    await dataSource.initialize();
    try {
      await eventLog(dataSource).install();
      const started = performance.now();
      await makeHistory(dataSource, events);
      const made = (performance.now() - started) / 1_000;
      const copied = await copyRows(url, shopTables);
      try {
        const replayed = await measured(dataSource, copied, { rounds, slow, made });
        return [replayed, ...(await scale(dataSource, url, events))];
      } finally {
        await copied.remove();
      }
    } finally {
      await dataSource.destroy();
    }
  });
}

interface Measuring {
  readonly rounds: number;
  /** Events per second, one at a time through repositories. */
  readonly slow: number;
  /** Seconds that the history took to be written. */
  readonly made: number;
}

async function measured(
  dataSource: DataSource,
  copied: CopiedRows,
  { rounds, slow, made }: Measuring,
): Promise<Report> {
  const log = eventLog(dataSource);
  const before = await contents(dataSource);
  const recorded = Number((await log.replay()).events);
  const timings = await timed(
    [
      { name: "COPY of the final rows", prepare: () => empty(dataSource), run: () => copied.restore() },
      {
        name: "replay() into empty tables",
        prepare: () => empty(dataSource),
        run: async () => void (await log.replay()),
      },
      { name: "replay() when nothing differs", run: async () => void (await log.replay()) },
      { name: "verify()", run: async () => void (await log.verify()) },
      { name: "shadow()", run: async () => (await log.shadow()).drop() },
    ],
    rounds,
  );
  const after = await contents(dataSource);
  if (JSON.stringify(after) !== JSON.stringify(before)) throw new Error("The replay did not bring the rows back.");
  const aims = ["", "≤ 1.2", "", "", "≤ 0.5"];
  return {
    title: `Replay of ${recorded} events (${rounds} rounds, medians)`,
    notes: [
      `rows in the end: ${before.map(({ table, rows }) => `${table} ${rows}`).join(", ")}`,
      `the history was written in ${rounded(made)} s: ${rounded(recorded / made)} events/s, set-based, through the capture triggers`,
      `one event at a time through repositories: ${rounded(slow)} events/s (2,000 events)`,
    ],
    rows: timings.map(({ name, median, ratio }, index) => ({
      "": name,
      ms: rounded(median),
      "events/s": name.startsWith("COPY") ? "" : rounded(recorded / (median / 1_000)),
      "time / COPY": rounded(ratio),
      "× one at a time": name.startsWith("COPY") ? "" : rounded(recorded / (median / 1_000) / slow),
      aim: aims[index] ?? "",
    })),
  };
}

/** Empties the tables behind the log's back: what replay() then finds is that every row is missing. */
async function empty(dataSource: DataSource): Promise<void> {
  const triggers = (state: string) =>
    shopTables.map((table) => `alter table ${table} ${state} trigger user`).join("; ");
  await dataSource.query(`${triggers("disable")}; truncate ${shopTables.join(", ")}; ${triggers("enable")}`);
}

interface Contents {
  readonly table: string;
  readonly rows: string;
  readonly hash: string;
}

async function contents(dataSource: DataSource): Promise<Contents[]> {
  const found: Contents[] = [];
  for (const table of shopTables) {
    const [row] = await dataSource.query<Contents[]>(
      `select '${table}' as table, count(*) as rows, sum(hashtextextended(to_jsonb(t.*)::text, 0)::numeric) as hash from ${table} t`,
    );
    if (row !== undefined) found.push(row);
  }
  return found;
}
