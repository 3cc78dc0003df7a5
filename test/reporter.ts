import Mocha from "mocha";

const LINGER_MS = 10_000;

/** mocha's spec reporter, with the count alone on the last line. */
export default class CountingReporter extends Mocha.reporters.Spec {
  /** A run in which no test came to an end proves nothing and counts as failed. */
  override done(failures: number, report: (failures: number) => void): void {
    const { passes, failures: failed } = this.stats;
    console.log(`${passes} passed, ${failed} failed`);
    report(failures === 0 && passes === 0 ? 1 : failures);
    setTimeout(failForOpenResources, LINGER_MS).unref();
  }
}

/** A pool or timer that a test forgot would keep the run going for ever. */
function failForOpenResources(): void {
  const open = [...new Set(process.getActiveResourcesInfo())].join(", ");
  console.error(`${LINGER_MS / 1000} s after the last test something is still open: ${open}`);
  process.once("exit", () => (process.exitCode = 1));
  process.exit();
}
