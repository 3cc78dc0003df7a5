import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../src/core/sql.js";
import type { FoldColumn, FoldTable } from "./fold-table.js";

/**
 * How two sets of rows of one table differ, seen from the first: rows it lacks, rows it alone has, rows that are not
 * equal.
 */
export interface DifferenceCounts {
  readonly missing: number;
  readonly unexpected: number;
  readonly different: number;
}

/** A table and the relation that holds its rows as they are to be. */
export interface Target {
  readonly table: FoldTable;
  /** The temporary table that live is made equal to. */
  readonly wanted: string;
  /** SQL over a live row `l`: whether a row that is not wanted goes. */
  readonly mayDelete: string;
  /** How live differs from `wanted`, where that has been counted. */
  readonly known: DifferenceCounts | undefined;
}

/** Where `a` and `b` are the same record. */
export function sameKey({ keyColumns }: FoldTable, a: string, b: string): string {
  return keyColumns.map((name) => `${a}.${quoteIdentifier(name)} = ${b}.${quoteIdentifier(name)}`).join(" and ");
}

/**
 * Where two rows of the same record are not equal, byte for byte. Images are compared first, which works for every type
 * and is cheap; text decides where they differ, because some types have several images of one value.
 */
export function differs({ columns }: Pick<FoldTable, "columns">, a: string, b: string): string {
  const row = (alias: string, cast = "") =>
    `row(${columns.map(({ quoted }) => `${alias}.${quoted}${cast}`).join(", ")})`;
  return `(${row(a)}::record *<> ${row(b)}::record and ${row(a, "::text")} is distinct from ${row(b, "::text")})`;
}

/** An array of the names of the columns that differ between two rows. */
export function differingColumns({ columns }: FoldTable, a: string, b: string): string {
  const cases = columns.map(
    ({ name, quoted }: FoldColumn) =>
      `case when ${a}.${quoted}::text is distinct from ${b}.${quoted}::text then ${quoteLiteral(name)} end`,
  );
  return `array_remove(array[${cases.join(", ")}]::text[], null)`;
}

/** SQL over a live row `l`: whether it is among the wanted ones. */
export function isWanted({ table, wanted }: Pick<Target, "table" | "wanted">): string {
  return `exists (select from ${wanted} w where ${sameKey(table, "w", "l")})`;
}

/** SQL over a live row `l`: whether it stays although it is not wanted. */
export function stays(target: Target): string {
  return `not (${isWanted(target)}) and not (${target.mayDelete})`;
}

/** Counts how `live` differs from `fold`; both are SQL relations with the table's columns. */
export async function countDifference(
  session: Session,
  table: FoldTable,
  live: string,
  fold: string,
): Promise<DifferenceCounts> {
  const key = quoteIdentifier(table.keyColumns[0] ?? "");
  const row = await session.row(sql`
    select count(*) filter (where l.${raw(key)} is null) as missing,
      count(*) filter (where f.${raw(key)} is null) as unexpected,
      count(*) filter (where l.${raw(key)} is not null and f.${raw(key)} is not null) as different
    from ${raw(live)} l full join ${raw(fold)} f on ${raw(sameKey(table, "l", "f"))}
    where l.${raw(key)} is null or f.${raw(key)} is null or ${raw(differs(table, "l", "f"))}`);
  return {
    missing: numberOf(row, "missing"),
    unexpected: numberOf(row, "unexpected"),
    different: numberOf(row, "different"),
  };
}
