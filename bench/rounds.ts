/** One of several things that do the same work and are timed against each other. */
export interface Variant {
  readonly name: string;
  /** Not timed; before every run. */
  readonly prepare?: () => Promise<void>;
  readonly run: () => Promise<void>;
}

export interface Timing {
  readonly name: string;
  /** Milliseconds of one run, median over all. */
  readonly median: number;
  /** Against the first variant: the median of the rounds' ratios, which a machine that gets slower or faster does not move. */
  readonly ratio: number;
}

/** Times variants in interleaved rounds, A B C C B A, after one run of each that is not counted, unless they are warm. */
export async function timed(
  variants: readonly Variant[],
  rounds: number,
  { isWarm = false }: { readonly isWarm?: boolean } = {},
): Promise<Timing[]> {
  if (!isWarm) for (const variant of variants) await once(variant);
  const samples = variants.map((): number[] => []);
  const ratios = variants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    const sums = variants.map(() => 0);
    const forth = [...variants.keys()];
    for (const index of [...forth, ...forth.toReversed()]) {
      const ms = await once(variants[index] as Variant);
      samples[index]?.push(ms);
      sums[index] = (sums[index] ?? 0) + ms;
    }
    for (const [index, sum] of sums.entries()) ratios[index]?.push(sum / (sums[0] ?? sum));
  }
  return variants.map(({ name }, index) => ({
    name,
    median: median(samples[index] ?? []),
    ratio: median(ratios[index] ?? []),
  }));
}

async function once({ prepare, run }: Variant): Promise<number> {
  await prepare?.();
  const started = performance.now();
  await run();
  return performance.now() - started;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
