import { SingleBar } from "cli-progress";

const lineEveryMs = 30_000;

/** How far a part is: a bar on a terminal, a line now and then elsewhere. */
export function progressOf(name: string, total: number): { step(done: number): void; end(): void } {
  if (process.stderr.isTTY) {
    const bar = new SingleBar({ format: `{bar} {value}/{total} ${name} (eta {eta} s)`, clearOnComplete: true });
    bar.start(total, 0);
    return { step: (done) => bar.update(Math.min(done, total)), end: () => bar.stop() };
  }
  let told = performance.now();
  return {
    step(done) {
      if (performance.now() - told < lineEveryMs) return;
      told = performance.now();
      console.error(`  ${done}/${total} ${name}`);
    },
    end: () => undefined,
  };
}
