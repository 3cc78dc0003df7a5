import { markdownTable, WrittenTable } from "../written-table.js";
import { subscriberCells } from "./cells.js";
import { groups } from "./paths/index.js";

export const captureTable = new WrittenTable("README.md", "capture", "the capture suite");

/** Paths that a run found recorded as they are, under each level of trigger capture: "level group path". */
export type Recorded = ReadonlySet<string>;

const levels = ["statement", "row"];
const kinds = ["recorded", "reported", "out of reach"];

/** What README.md says of each group of writes, made from what a run found. */
export function captureTableOf(recorded: Recorded): string {
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
  return markdownTable([
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
