import "reflect-metadata";
import { DataSource } from "typeorm";
import { type EventLog, eventLog, withEventLog } from "../../src/index.js";
import { peakMemory } from "./memory.js";
import { shopEntities } from "./shop.js";

/** What can be run in a process of its own, that has done nothing else. */
export const inChild = {
  "replay()": async (log: EventLog) => void (await log.replay()),
  "verify()": async (log: EventLog) => void (await log.verify()),
  "shadow()": async (log: EventLog) => (await log.shadow()).drop(),
} as const;

/** `node child.js <what> <url>`: prints the resident set before, and the largest meanwhile, in MB. */
async function main([what, url = ""]: string[]): Promise<void> {
  const dataSource = new DataSource(withEventLog({ type: "postgres", url, entities: shopEntities }));
  await dataSource.initialize();
  const before = await peakMemory(() => Promise.resolve());
  const peak = await peakMemory(() => inChild[what as keyof typeof inChild](eventLog(dataSource)));
  await dataSource.destroy();
  console.log(JSON.stringify({ before, peak }));
}

if (process.argv[1]?.endsWith("child.js")) await main(process.argv.slice(2));
