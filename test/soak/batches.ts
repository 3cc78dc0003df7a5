import type { PartOptions } from "./part.js";

/** A failure's seed is told this often. */
const batch = 10;
/** Beside one another: a history waits for its database half of the time. */
const lanes = 2;

/** Proves in batches, each with a seed of its own, and adds up what they count. Throws the first failure. */
export async function inBatches(
  times: number,
  { seed, onProgress }: PartOptions,
  prove: (how: { readonly runs: number; readonly seed: number }) => Promise<object>,
): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  let [begun, done] = [0, 0];
  const lane = async () => {
    while (begun < times) {
      const [first, runs] = [begun, Math.min(batch, times - begun)];
      begun += runs;
      const found = await prove({ runs, seed: seed + first });
      for (const [name, value] of Object.entries(found) as [string, number][])
        totals[name] = (totals[name] ?? 0) + value;
      onProgress((done += runs));
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const failed = ended.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason as Error;
  return totals;
}
