import type { ColumnOptions } from "typeorm";
import { quoted } from "./quoted.js";

export const scalars = [
  "int",
  "bigint",
  "text",
  "varchar(3)",
  "varchar(9)",
  "numeric",
  "numeric(8,1)",
  "numeric(12,3)",
  "timestamp",
  "timestamptz",
  "json",
  "jsonb",
  "uuid",
  "boolean",
] as const;

export type Scalar = (typeof scalars)[number];

/** A type of PostgreSQL's own, or an enum of the history's, alone or as an array. */
export type ColumnType = Scalar | { readonly enumName: string; readonly isArray: boolean };

export interface EnumType {
  readonly name: string;
  readonly labels: readonly string[];
  /**
   * What was done to it since the last install. Labels are the same by their oids, or by their names in a type that was
   * made again: after both, nobody could tell.
   */
  readonly touched?: "relabelled" | "made again" | undefined;
}

export function sqlOf(type: ColumnType): string {
  return typeof type === "string" ? type : `${quoted(type.enumName)}${type.isArray ? "[]" : ""}`;
}

export function isTextual(type: ColumnType): boolean {
  return type === "text" || (typeof type === "string" && type.startsWith("varchar"));
}

/** How an entity of TypeORM says it. */
export function columnOptionsOf(type: ColumnType, enums: readonly EnumType[]): ColumnOptions {
  if (typeof type !== "string") {
    const labels = enums.find(({ name }) => name === type.enumName)?.labels ?? [];
    return { type: "enum", enum: [...labels], enumName: type.enumName, array: type.isArray };
  }
  const [, name = type, first, second] = /^(\w+)\((\d+)(?:,(\d+))?\)$/.exec(type) ?? [];
  if (name === "varchar") return { type: "varchar", length: Number(first) };
  if (first !== undefined) return { type: "numeric", precision: Number(first), scale: Number(second) };
  return { type: name as "text" };
}
