import { randomUUID } from "node:crypto";
import { DataSource } from "typeorm";
import { eventLog, withEventLog } from "../../src/index.js";
import { runOn, withDatabases } from "../database.js";
import type { BenchOptions } from "../options.js";
import { makeHistory } from "../replay/history.js";
import { Customer, shopEntities } from "../replay/shop.js";
import { type Report, rounded } from "../report.js";
import { timed, type Variant } from "../rounds.js";

const periods = 12;
const inserts = 300;
const reads = 100;

const work: Readonly<Record<string, (dataSource: DataSource) => Promise<unknown>>> = {
  [`${inserts} inserts, each a transaction`]: async ({ manager }) => {
    for (let index = 0; index < inserts; index++)
      await manager.insert(Customer, {
        id: randomUUID(),
        number: ++numbers,
        name: "Ada",
        email: "ada@example.com",
        city: "London",
        preferences: {},
        updatedAt: new Date(),
      });
  },
  "verify()": (dataSource) => eventLog(dataSource).verify(),
  "replay() when nothing differs": (dataSource) => eventLog(dataSource).replay(),
  [`${reads} histories of one record`]: async (dataSource) => {
    const customers = await dataSource.manager.find(Customer, { take: reads, order: { number: "asc" } });
    for (const { id } of customers) await eventLog(dataSource).history(Customer, id);
  },
};
let numbers = 10_000_000;

/** One log as a plain table, and the same one divided into a dozen partitions: what they cost, and what they save in the end. */
export async function partitions({ rounds = 3, events }: BenchOptions): Promise<Report[]> {
  return withDatabases(2, async ([plainUrl = "", dividedUrl = ""]) => {
    const plain = await open(plainUrl);
    const divided = await open(dividedUrl);
    try {
      await fill(plain, events);
      await fill(divided, events, () => eventLog(divided).partition());
      const rows = [];
      for (const [name, run] of Object.entries(work)) {
        const variants: Variant[] = [plain, divided].map((of, index) => ({
          name: index === 0 ? "plain" : "divided",
          run: async () => void (await run(of)),
        }));
        const [one, other] = await timed(variants, rounds);
        rows.push({
          "": name,
          "plain, ms": rounded(one?.median ?? 0),
          "divided, ms": rounded(other?.median ?? 0),
          "divided / plain": rounded(other?.ratio ?? 0),
        });
      }
      return [
        { title: `A log of ${events} events as a plain table and in ${periods + 1} partitions`, rows },
        await retention(plainUrl, divided),
      ];
    } finally {
      await plain.destroy();
      await divided.destroy();
    }
  });
}

async function open(url: string): Promise<DataSource> {
  const options = { type: "postgres", url, entities: shopEntities, synchronize: true } as const;
  const dataSource = await new DataSource(withEventLog(options)).initialize();
  await eventLog(dataSource).install();
  return dataSource;
}

/** Half of the events at once, the others over a dozen periods. */
async function fill(dataSource: DataSource, events: number, begin: () => Promise<unknown> = async () => undefined) {
  await makeHistory(dataSource, events / 2);
  const share = Math.round(events / 2 / periods);
  for (let period = 0; period < periods; period++) {
    await begin();
    await dataSource.query(
      `update purchase_item set quantity = quantity + 1 where ctid in (select ctid from purchase_item order by id limit ${share})`,
    );
  }
  await dataSource.query("vacuum analyze");
}

/** Without partitions, whoever lets events go deletes them, past the log's guard, and vacuums; nothing stands in for them then. */
async function retention(plainUrl: string, divided: DataSource): Promise<Report> {
  const since = new Date();
  await eventLog(divided).partition();
  const [retained, { events, records }] = await once(() => eventLog(divided).retain({ since }));
  const [deleted] = await once(async () => {
    await runOn(plainUrl, "set session_replication_role = replica; delete from chronicle.event");
    await runOn(plainUrl, "vacuum chronicle.event");
  });
  return {
    title: `All ${events} events go, ${records} records live on`,
    rows: [
      { "": "retain()", ms: rounded(retained) },
      { "": "delete and vacuum, no baseline", ms: rounded(deleted) },
    ],
  };
}

async function once<T>(run: () => Promise<T>): Promise<[number, T]> {
  const started = performance.now();
  const result = await run();
  return [performance.now() - started, result];
}
