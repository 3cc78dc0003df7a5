import type { TextRow } from "../core/session.js";

/** A column of a table as a shape has it. */
export interface ShapeColumn {
  /** The log's own number of the column: it keeps it under every name and type, and no other column ever gets it. */
  readonly id: number;
  /** PostgreSQL's number of it in the table (attnum); a dump and restore deals these out again. */
  readonly number: number;
  readonly name: string;
  /** As SQL. */
  readonly type: string;
  /** PostgreSQL's oid of it: a type that is made again under its name has another one. */
  readonly typeId: number;
  readonly generated: boolean;
  /** Of the enum that the type is made of: each label by its oid, which stays when the label is renamed. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** Changes with every ALTER of the column. */
  readonly written: string;
  /** Whether it was ever sensitive: its values are never shown to readers of the log. */
  readonly hidden: boolean;
}

/** A column as capture described it, under a shape that no install knew. */
export type SeenColumn = Pick<ShapeColumn, "number" | "name" | "typeId" | "labels"> & {
  readonly id?: number | undefined;
};

/** What changed in a table between two installs, as it is reported. */
export interface SchemaChangeReport {
  readonly entity: string;
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  readonly dropped: readonly string[];
  readonly added: readonly string[];
  /** Types as SQL. */
  readonly retyped: readonly { readonly column: string; readonly from: string; readonly to: string }[];
  /** Labels of enums. */
  readonly relabelled: readonly { readonly column: string; readonly from: string; readonly to: string }[];
  /** Whether records have other keys: each was recorded as destroyed and created. */
  readonly rekeyed: boolean;
  /** Partitions that are gone: the records that were in them ended. */
  readonly emptied: readonly string[];
  /** How many events with origin "migration" were recorded for values that the DDL wrote. */
  readonly recordedRows: number;
}

/**
 * What install found changed in a table: events before `position` were written under `before`, or under a shape seen
 * meanwhile.
 */
export interface SchemaChange {
  readonly position: bigint;
  /** Rises with each install; the same for all tables of one. */
  readonly install: number;
  readonly before: readonly ShapeColumn[];
  readonly after: readonly ShapeColumn[];
  /** Whether it is another table that has taken the place of the one before: columns are the same by name alone. */
  readonly remade: boolean;
  /** What a column that was added holds in the rows of that time, as JSON, by the column's id. */
  readonly fills: Readonly<Record<string, string>>;
  /** Columns, by id, whose values came with the DDL row by row: a record's first migration event holds its value. */
  readonly filledByRow: readonly number[];
  /**
   * Columns, by id, whose values the DDL may have rewritten: migration events hold what it made of those that a plain
   * cast does not give.
   */
  readonly rewritten: readonly number[];
  /** Whether records have other keys from here on: their events before are of other records. */
  readonly rekeyed: boolean;
  /** The first event that was written under such a key, before this install; null if none is known. */
  readonly rekeyedFrom: bigint | null;
  /** Partitions that are gone: records that were in them ended here. */
  readonly emptied: readonly EmptiedPartition[];
  /** Versions that were raised: by discriminator value ("" for the table itself), action, then [before, after]. */
  readonly versions: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>>;
  readonly report: Omit<SchemaChangeReport, "recordedRows">;
}

/** The bounds of a partition, as SQL over columns of the record's key under the names that they had. */
export interface EmptiedPartition {
  readonly bounds: string;
  readonly columns: readonly Pick<ShapeColumn, "id" | "name" | "type">[];
}

export function schemaChangeOf(row: TextRow): SchemaChange {
  const parsed = <T>(name: string) => JSON.parse(row[name] ?? "null") as T;
  const change = parsed<Omit<SchemaChange, "position" | "rekeyedFrom"> & { rekeyedFrom: string | null }>("change");
  const rekeyedFrom = change.rekeyedFrom === null ? null : BigInt(change.rekeyedFrom);
  return { ...change, rekeyedFrom, position: BigInt(row.position ?? 0) };
}
