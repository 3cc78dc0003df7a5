import Table from "cli-table3";
import { jsonOf } from "./json-of.js";
import { printable, printableLines } from "./printable.js";

/** Where a command's answer goes: one JSON document on stdout with `--json`, else text for people. */
export class Output {
  constructor(readonly json: boolean) {}

  /** A command's whole answer. `text` says the same to people. */
  result(value: unknown, text: () => string | readonly string[]): void {
    this.line(this.json ? jsonOf(value, 2) : [text()].flat().join("\n"));
  }

  /** Many values, each as it comes: a JSON array, or a line each. Memory stays flat. */
  async stream<T>(values: AsyncIterable<T>, text: (value: T) => string): Promise<number> {
    let count = 0;
    for await (const value of values) {
      if (this.json) this.line(`${count === 0 ? "[" : ","}${jsonOf(value)}`);
      else this.line(text(value));
      count++;
      if (process.stdout.writableNeedDrain) await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
    if (this.json) this.line(count === 0 ? "[]" : "]");
    return count;
  }

  line(text: string): void {
    process.stdout.write(`${printableLines(text)}\n`);
  }
}

/** A table without colours, the same on a terminal and in a file. */
export function tableOf(head: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => row.map((cell) => printable(String(cell ?? "")))));
  return table.toString();
}

/** A number with its noun: "1 row", "2 rows". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
