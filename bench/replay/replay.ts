import { DataSource } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { withDatabases } from "../database.js";
import type { BenchOptions } from "../options.js";
import { type Report, rounded } from "../report.js";
import { timed } from "../rounds.js";
import { type CopiedRows, copyRows } from "./copy.js";
import { makeHistory } from "./history.js";
import { scale } from "./scale.js";
import { shopEntities, shopTables } from "./shop.js";

/** Rebuilding three tables with foreign keys from their events, against COPY of the rows that come out. */
export async function replay({ rounds = 3, events }: BenchOptions): Promise<Report[]> {
  return withDatabases(1, async ([url = ""]) => {
    const dataSource = new DataSource(
      withEventLog({ type: "postgres", url, entities: shopEntities, synchronize: true }),
    );
    await dataSource.initialize();
    try {
      await eventLog(dataSource).install();
      await makeHistory(dataSource, events);
      const copied = await copyRows(url, shopTables);
      try {
        const replayed = await measured(dataSource, copied, rounds);
        return [replayed, ...(await scale(dataSource, url, events))];
      } finally {
        await copied.remove();
      }
    } finally {
      await dataSource.destroy();
    }
  });
}

async function measured(dataSource: DataSource, copied: CopiedRows, rounds: number): Promise<Report> {
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
    notes: [`rows in the end: ${before.map(({ table, rows }) => `${table} ${rows}`).join(", ")}`],
    rows: timings.map(({ name, median, ratio }, index) => ({
      "": name,
      ms: rounded(median),
      "events/s": name.startsWith("COPY") ? "" : rounded(recorded / (median / 1_000)),
      "time / COPY": rounded(ratio),
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
      `select '${table}' as table, count(*) as rows, md5(string_agg(to_jsonb(t.*)::text, '' order by t.id)) as hash from ${table} t`,
    );
    if (row !== undefined) found.push(row);
  }
  return found;
}
