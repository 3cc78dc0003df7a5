import "reflect-metadata";
import { activity } from "./activity/activity.js";
import { capture } from "./capture/capture.js";
import { machine } from "./machine.js";
import { migrations } from "./migrations/migrations.js";
import { messages } from "./messages/messages.js";
import { type BenchOptions, optionsOf, type Part } from "./options.js";
import { partitions } from "./partitions/partitions.js";
import { peers } from "./peers/peers.js";
import { replay } from "./replay/replay.js";
import { printed, type Report } from "./report.js";

const runs: Readonly<Record<Part, (options: BenchOptions) => Promise<Report[]>>> = {
  messages,
  replay,
  capture,
  peers,
  partitions,
  migrations,
  activity,
};

async function main(options: BenchOptions): Promise<void> {
  const on = await machine();
  const started = performance.now();
  const reports: Report[] = [];
  if (!options.json) for (const [name, value] of Object.entries(on)) console.log(`${name}: ${value}`);
  for (const part of options.only) {
    const found = await runs[part](options);
    reports.push(...found);
    if (!options.json) for (const report of found) console.log(printed(report));
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  if (options.json) console.log(JSON.stringify({ ...on, seconds, reports }, null, 2));
  else console.log(`\n${seconds} s`);
}

/** The options of the command; says what is wrong with them and ends the process. */
function asked(): BenchOptions {
  try {
    return optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

await main(asked());
