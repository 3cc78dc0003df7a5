import type pg from "pg";
import type { Row } from "./kind.js";

/** The rows of a table, as PostgreSQL's own JSON. */
export async function rowsOf(client: pg.Client, table: string): Promise<Row[]> {
  const { rows } = await client.query<{ row: Row }>(`select to_jsonb(t.*) as row from ${table} t order by 1`);
  return rows.map(({ row }) => row);
}

/** Rows as text that is the same for the same rows, in whatever order they and their columns come. */
export function canonical(rows: readonly Row[]): string[] {
  return rows.map(canonicalValue).toSorted();
}

/** How the rows differ, as a sentence; undefined if they do not. */
export function difference(found: readonly Row[], wanted: readonly Row[]): string | undefined {
  const [is, was] = [canonical(found), canonical(wanted)];
  if (JSON.stringify(is) === JSON.stringify(was)) return undefined;
  return `${is.join(" ") || "no rows"} in place of ${was.join(" ") || "no rows"}`;
}

/** The rows with these columns alone. */
export function only(rows: readonly Row[], columns: readonly string[]): Row[] {
  return rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name]])));
}

export function canonicalValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalValue).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalValue(inner)}`).join(",")}}`;
}
