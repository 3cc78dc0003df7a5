/** Everything that is meant to break the log, in full counts or until it is stopped: `npm run soak`. */
import "reflect-metadata";
import { Campaign, type Fault, type FaultCounts, faults } from "../crashes/campaign.js";
import { type HistoryCounts, proveHistories } from "../histories/prove.js";
import { makeTemplate } from "../histories/world.js";
import { optionsOf, type SoakOptions } from "./options.js";

const totals = new Map<string, number>();
const add = (name: string, value: number) => totals.set(name, (totals.get(name) ?? 0) + value);

/** Histories are reported, and a failure's seed is told, this often. */
const batch = 10;

async function soakHistories(runs: number, seed: number): Promise<void> {
  const template = await makeTemplate();
  try {
    for (let done = 0; done < runs; done += batch) {
      const counts: HistoryCounts = await proveHistories(template, {
        runs: Math.min(batch, runs - done),
        seed: seed + done,
      });
      for (const [name, value] of Object.entries(counts)) add(name, value as number);
      console.log(`histories ${done + counts.histories}/${runs} (seed ${seed + done})`);
    }
  } finally {
    await template.stop();
  }
}

async function soakFaults(wanted: readonly (readonly [Fault, number])[]): Promise<void> {
  const campaign = await Campaign.start();
  try {
    for (const [fault, times] of wanted) {
      const counts: FaultCounts = await campaign.strike(fault, times);
      add(fault, counts.struck);
      add(`${fault} in an open transaction`, counts.inTransaction);
      console.log(`${fault}: ${JSON.stringify(counts)}`);
      if (counts.inTransaction < counts.struck * 0.3) throw new Error(`Too few of "${fault}" hit an open transaction.`);
    }
    await campaign.prove();
    for (const [name, value] of Object.entries(campaign.ledger.counts)) add(name, value);
  } finally {
    await campaign.stop();
  }
}

async function soak({ counts, seed }: SoakOptions, round: number): Promise<void> {
  const histories = counts.get("histories");
  if (histories !== undefined) await soakHistories(histories, seed + round * histories);
  const wanted = faults.flatMap((fault) => (counts.has(fault) ? [[fault, counts.get(fault) ?? 0] as const] : []));
  if (wanted.length > 0) await soakFaults(wanted);
}

async function main(args: string[]): Promise<void> {
  const options = optionsOf(args);
  const started = performance.now();
  let failure: unknown;
  try {
    for (let round = 0; round === 0 || !options.once; round++) await soak(options, round);
  } catch (error) {
    failure = error;
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  const said = [...totals].map(([name, value]) => `${value} ${name}`).join(", ");
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`${failure === undefined ? "0 divergences" : "A DIVERGENCE"}: ${said} (${seconds} s)`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
