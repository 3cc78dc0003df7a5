import { differencesOf } from "../../live-rows.js";
import { sqlOf } from "./column-types.js";
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

/** Rows, as rowsOf gives them, that are none of those that are right, or missing; a line each. */
export function wrongRows({ name, columns }: Table, is: readonly string[], right: readonly RightTexts[]): string[] {
  const rows = new Set(is.map(textsOf));
  const keys = columns.flatMap(({ role }, index) => (role === "key" ? [index] : []));
  // A number as a key is the same with any scale.
  const hasScale = columns.map(({ role, type }) => role === "key" && sqlOf(type).startsWith("numeric"));
  const isRight = (texts: Texts, wanted: RightTexts, index: number) =>
    wanted[index]?.some((text) =>
      hasScale[index] === true ? Number(text) === Number(texts[index]) : text === texts[index],
    );
  const lines = right.flatMap((wanted) => {
    const candidates = [...rows].filter((row) => keys.every((index) => isRight(row, wanted, index)));
    const texts = candidates.find((row) => columns.every((_, index) => isRight(row, wanted, index))) ?? candidates[0];
    const key = keys.map((index) => wanted[index]?.join(" or ")).join(" ");
    if (texts === undefined) return [`${name} ${key} is missing`];
    rows.delete(texts);
    const other = columns.flatMap((column, index) => {
      const allowed = wanted[index]?.map((text) => JSON.stringify(text)).join(" or ");
      return isRight(texts, wanted, index) ? [] : [`${column.name} is ${JSON.stringify(texts[index])}, not ${allowed}`];
    });
    return other.length === 0 ? [] : [`${name} ${key}: ${other.join("; ")}`];
  });
  return [
    ...lines,
    ...[...rows].map((texts) => `${name} ${keyOf({ columns }, texts)} is there: ${JSON.stringify(texts)}`),
  ];
}

/** For each column the texts that are right. */
export type RightTexts = readonly (readonly (string | null)[])[];

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

function keyOf({ columns }: Pick<Table, "columns">, texts: readonly (string | null)[]): string {
  return columns.flatMap(({ role }, index) => (role === "key" ? [texts[index]] : [])).join(" ");
}
