import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { subscriberCells } from "./cells.js";
import { groups } from "./paths/index.js";

const readme = fileURLToPath(new URL("../../../README.md", import.meta.url));
const [begin, end] = [
  "<!-- capture table: written by the capture suite -->\n\n",
  "\n<!-- end of the capture table -->",
];

/** Paths that a run found recorded as they are, under each level of trigger capture: "level group path". */
export type Recorded = ReadonlySet<string>;

const levels = ["statement", "row"];
const kinds = ["recorded", "reported", "out of reach"];

/** What README.md says of each group of writes, made from what a run found. */
export function captureTable(recorded: Recorded): string {
  const rows = Object.entries(groups).map(([group, paths]) => {
    const names = Object.keys(paths);
    const byTriggers = names.filter((path) => levels.every((level) => recorded.has(`${level} ${group} ${path}`)));
    const bySubscriber = kinds.map((kind) => names.filter((path) => subscriberCells[group]?.[path] === kind).length);
    return { group, paths: names.length, byTriggers: byTriggers.length, bySubscriber };
  });
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
  const total = {
    group: "all",
    paths: sum((row) => row.paths),
    byTriggers: sum((row) => row.byTriggers),
    bySubscriber: kinds.map((_, index) => sum((row) => row.bySubscriber[index] ?? 0)),
  };
  return table([
    ["writes", "ways tried", "recorded by triggers", "by the subscriber"],
    ...[...rows, total].map((row) => [
      row.group,
      String(row.paths),
      `${row.byTriggers} of ${row.paths}`,
      kinds
        .flatMap((kind, index) => (row.bySubscriber[index] ? [`${row.bySubscriber[index]} ${kind}`] : []))
        .join(", "),
    ]),
  ]);
}

function table([head = [], ...rows]: readonly string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cellsOf: readonly string[]) =>
    `| ${cellsOf.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("");
}

/** The table as README.md has it. */
export async function printedTable(): Promise<string | undefined> {
  return (await readFile(readme, "utf8")).split(begin)[1]?.split(end)[0];
}

export async function printTable(made: string): Promise<void> {
  const text = await readFile(readme, "utf8");
  await writeFile(readme, text.replace(`${begin}${await printedTable()}${end}`, `${begin}${made}${end}`));
}
