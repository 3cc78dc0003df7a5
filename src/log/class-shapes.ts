import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { ShapeColumn } from "./table-shape.js";
import { type TrackedTable, trackedTables } from "./tracked-tables.js";

/**
 * What this process knows of the columns of its classes: the shape that they had when it first looked, or when it
 * installed. A migration may give a name to another column, or another type, while an older process runs on: that would
 * read one for the other.
 */
export function isClassOfToday(dataSource: DataSource, table: TrackedTable, columns: readonly ShapeColumn[]): boolean {
  const { shapes } = attachmentOf(dataSource).link;
  const now = shapeFor(table, columns);
  const first = shapes.get(table.tableName) ?? now;
  shapes.set(table.tableName, first);
  return first === now;
}

/** The code of this process is that of the tables: it has just installed. */
export async function rememberShapes(session: Session, dataSource: DataSource): Promise<void> {
  const { schema, link } = attachmentOf(dataSource);
  const rows = await session.rows(
    sql`select table_name, columns from ${raw(schema)}.tracked where columns is not null`,
  );
  for (const table of trackedTables(dataSource)) {
    const row = rows.find(({ table_name }) => table_name === table.tableName);
    if (row !== undefined)
      link.shapes.set(table.tableName, shapeFor(table, JSON.parse(row.columns ?? "[]") as ShapeColumn[]));
  }
}

function shapeFor(
  { plainColumns, sensitiveColumns, excludedColumns }: TrackedTable,
  columns: readonly ShapeColumn[],
): string {
  const names = new Set([...plainColumns, ...sensitiveColumns.keys(), ...excludedColumns]);
  return JSON.stringify(
    columns.filter(({ name }) => names.has(name)).map(({ id, name, type, labels }) => [id, name, type, labels]),
  );
}
