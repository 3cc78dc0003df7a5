import { createInterface } from "node:readline";
import { printableLines } from "./printable.js";
import { UsageError } from "./usage-error.js";

/** Throws where nobody can be asked. */
export function refuseWithoutTerminal(what: string): void {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new UsageError(`${what}: pass --yes, or look first with --dry-run.`);
}

/** Asks on the terminal. Only a yes is one: not Enter, and not the end of the input. */
export async function isWanted(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // While a line is read, Ctrl-C arrives here and not at the process.
  terminal.once("SIGINT", () => process.emit("SIGINT", "SIGINT") && terminal.close());
  try {
    const wanted = await new Promise<boolean>((resolve) => {
      terminal.once("close", () => resolve(false));
      terminal.question(`${printableLines(question)} [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim())));
    });
    if (!wanted) process.stderr.write("Nothing was changed.\n");
    return wanted;
  } finally {
    terminal.close();
  }
}
