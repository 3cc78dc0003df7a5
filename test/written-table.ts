import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../dev/bootstrap/root.mjs";

/** A table of a page that a test writes, between two comments: it says what the test found. */
export class WrittenTable {
  readonly #page: string;
  readonly #begin: string;
  readonly #end: string;

  constructor(page: string, name: string, writer: string) {
    this.#page = join(ROOT, page);
    this.#begin = `<!-- ${name} table: written by ${writer} -->\n\n`;
    this.#end = `\n<!-- end of the ${name} table -->`;
  }

  /** As the page has it. */
  async printed(): Promise<string | undefined> {
    return (await readFile(this.#page, "utf8")).split(this.#begin)[1]?.split(this.#end)[0];
  }

  async print(made: string): Promise<void> {
    const text = await readFile(this.#page, "utf8");
    const old = `${this.#begin}${await this.printed()}${this.#end}`;
    await writeFile(this.#page, text.replace(old, `${this.#begin}${made}${this.#end}`));
  }
}

export function markdownTable([head = [], ...rows]: readonly string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cellsOf: readonly string[]) =>
    `| ${cellsOf.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("");
}
