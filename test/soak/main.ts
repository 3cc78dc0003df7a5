/** Everything that is meant to break the log, in full counts or until it is stopped: `npm run soak`. */
import "../setup.js";
import { optionsOf } from "./options.js";
import { parts } from "./parts.js";
import { progressOf } from "./progress.js";

const started = performance.now();
const totals = new Map<string, number>();
const diverged: string[] = [];

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const secondsSince = (moment: number) => Math.round((performance.now() - moment) / 1000);

/** Does one part and says what it came to. A divergence is told, and the other parts still get their turn. */
async function runPart(name: string, times: number, seed: number): Promise<void> {
  const begun = performance.now();
  const progress = progressOf(name, times);
  try {
    const counts = await parts[name]?.run(times, { seed, onProgress: progress.step });
    progress.end();
    const said = Object.entries(counts ?? {}).map(([what, count]) => `${count} ${what}`);
    console.log(`${times} ${name}: ${said.join(", ")} (seed ${seed}, ${secondsSince(begun)} s)`);
    totals.set(name, (totals.get(name) ?? 0) + times);
  } catch (error) {
    progress.end();
    diverged.push(name);
    process.exitCode = 1;
    console.error(`DIVERGENCE in ${name} (seed ${seed}, after ${secondsSince(begun)} s): ${messageOf(error)}`);
  }
}

function tellTotals(): void {
  const said = [...totals].map(([name, count]) => `${count} ${name}`).join(", ");
  const found = diverged.length === 0 ? "0 divergences" : `${diverged.length} DIVERGENCES in ${diverged.join(", ")}`;
  console.log(`${found}: ${said} (${secondsSince(started)} s)`);
}

async function main(args: string[]): Promise<void> {
  const { counts, once, seed } = optionsOf(args, parts);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      tellTotals();
      process.exit();
    });
  for (let round = 0; round === 0 || (!once && diverged.length === 0); round++)
    for (const [name, times] of counts) await runPart(name, times, seed + round * times);
  tellTotals();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});
