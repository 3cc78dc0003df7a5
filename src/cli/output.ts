import Table from "cli-table3";

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
    process.stdout.write(`${text}\n`);
  }
}

/** Positions as strings, as everywhere in JSON. */
export function jsonOf(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? String(part) : part), indent);
}

/** A table without colours, the same on a terminal and in a file. */
export function tableOf(head: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => row.map((cell) => printable(String(cell ?? "")))));
  return table.toString();
}

/** Text of others, such as names: without what a terminal would take for a command, or for another direction of writing. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- which is what this is about
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A number with its noun: "1 row", "2 rows". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
