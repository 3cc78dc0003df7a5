import Table from "cli-table3";

/** What a part of the benchmark found: rows under headings, all of it also fit for JSON. */
export interface Report {
  readonly title: string;
  readonly notes?: readonly string[];
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

export function printed({ title, notes = [], rows }: Report): string {
  const head = Object.keys(rows[0] ?? {});
  const table = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: head.map((name) => (typeof rows[0]?.[name] === "number" ? "right" : "left")),
  });
  for (const row of rows) table.push(head.map((name) => row[name] ?? ""));
  return [`\n${title}`, ...notes.map((note) => `  ${note}`), table.toString()].join("\n");
}

/** Tells a row when it is measured: minutes may pass over a slow network, and a run that is cut short has said what it found. */
export function told<Row extends Report["rows"][number]>(row: Row): Row {
  console.error(JSON.stringify(row));
  return row;
}

/** Three significant digits, which is more than a noisy machine can tell. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
