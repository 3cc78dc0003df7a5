import { differencesOf } from "../../live-rows.js";
import type { Table } from "./model.js";

/** What one set of rows, as rowsOf gives them, has other than another, by column; a line for each key. */
export function rowDifferences(table: Table, is: readonly string[], wanted: readonly string[]): Map<string, string> {
  const lines = differencesOf(new Map([["", is]]), new Map([["", wanted]]));
  const [missing, unexpected] = ["-", "+"].map((sign) => {
    const rows = lines.filter((line) => line.startsWith(sign)).map((line) => textsOf(line.slice(3)));
    return new Map(rows.map((texts) => [keyOf(table, texts), texts]));
  });
  const keys = new Set([...(missing?.keys() ?? []), ...(unexpected?.keys() ?? [])]);
  return new Map([...keys].map((key) => [key, lineOf(table, key, missing?.get(key), unexpected?.get(key))]));
}

type Texts = readonly (string | null)[];

function lineOf({ name, columns }: Table, key: string, was: Texts | undefined, now: Texts | undefined): string {
  if (was === undefined) return `${name} ${key} is there: ${JSON.stringify(now)}`;
  if (now === undefined) return `${name} ${key} is missing: ${JSON.stringify(was)}`;
  const other = columns.flatMap((column, index) =>
    was[index] === now[index]
      ? []
      : [`${column.name} is ${JSON.stringify(now[index])}, not ${JSON.stringify(was[index])}`],
  );
  return `${name} ${key}: ${other.join("; ") || "documents differ"}`;
}

function textsOf(row: string): (string | null)[] {
  const [, texts] = JSON.parse(row) as [unknown, (string | null)[]];
  return texts;
}

function keyOf({ columns }: Table, texts: readonly (string | null)[]): string {
  return columns.flatMap(({ role }, index) => (role === "key" ? [texts[index]] : [])).join(" ");
}
