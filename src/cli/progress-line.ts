import { SingleBar } from "cli-progress";
import type { Progress } from "../index.js";
import { printable } from "./printable.js";

/** Tells how far a command is, on stderr: a bar on a terminal, a line per step elsewhere, nothing beside `--json`. */
export class ProgressLine {
  #bar: SingleBar | undefined;

  constructor(private readonly silent: boolean) {}

  /** Fits the `onProgress` of replay and shadow. */
  readonly step = ({ step: given, done, total }: Progress): void => {
    if (this.silent) return;
    const step = printable(given);
    if (!process.stderr.isTTY) {
      process.stderr.write(`${done}/${total} ${step}\n`);
      return;
    }
    if (this.#bar === undefined) {
      this.#bar = new SingleBar({
        format: "{bar} {value}/{total} {step}",
        stream: process.stderr,
        clearOnComplete: true,
      });
      this.#bar.start(total, done, { step });
    }
    this.#bar.setTotal(total);
    this.#bar.update(done, { step });
  };

  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
