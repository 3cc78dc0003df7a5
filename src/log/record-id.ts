import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { TrackedTable } from "./tracked-tables.js";

/** A record's primary key: its one value, or an object of properties or columns where it has several. */
export type RecordId = string | number | bigint | Date | Readonly<Record<string, unknown>>;

/**
 * The ids as columns and values. Properties of the entity are taken as well as columns.
 * Throws OPTIONS_INVALID where a part of the key is missing or is no value.
 */
export function idColumns(table: TrackedTable, id: RecordId): Record<string, unknown> {
  const given = (value: unknown): unknown => {
    // JSON would make null of these, and a rounded number is another record's.
    const isLost = typeof value === "number" && (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER);
    if (isLost || (value instanceof Date && Number.isNaN(value.getTime()))) throw lost(table, value);
    return typeof value === "bigint" ? String(value) : value instanceof Date ? value.toISOString() : value;
  };
  const [only] = table.keyColumns;
  if (typeof id !== "object" || id === null || id instanceof Date) {
    if (table.keyColumns.length !== 1 || only === undefined || id === null || id === undefined) throw refused(table);
    return { [only]: given(id) };
  }
  const parts = table.keyColumns.map((name) => {
    const column = table.metadata.primaryColumns.find((candidate) => candidate.databaseName === name);
    const value =
      id[name] ?? (column === undefined ? undefined : (id[column.propertyName] ?? column.getEntityValue({ ...id })));
    if (value === undefined || value === null || (typeof value === "object" && !(value instanceof Date)))
      throw refused(table);
    return [name, given(value)] as const;
  });
  return Object.fromEntries(parts);
}

/** The keys, as the log has them, of ids that a caller gave. Throws OPTIONS_INVALID for what is no value of the key's type. */
export async function recordKeys(
  session: Session,
  schema: string,
  table: TrackedTable,
  ids: readonly RecordId[],
): Promise<string[]> {
  const columns = ids.map((id) => idColumns(table, id));
  const rows = await session
    .rows(
      sql`
      select ${raw(schema)}.record_key_of(${table.sqlName}::regclass, id, ${table.keyColumns}::text[]) as key
      from jsonb_array_elements(${JSON.stringify(columns)}::jsonb) with ordinality as i (id, ordinal) order by ordinal`,
    )
    .catch((error: unknown) => Promise.reject(idError(table, error)));
  return rows.map(({ key }) => key ?? "");
}

/** OPTIONS_INVALID where a statement failed because an id is no value of the key's type; every other error as it is. */
function idError(table: TrackedTable, cause: unknown): Error {
  if (!(cause instanceof Error && String((cause as { code?: string }).code).startsWith("22"))) return cause as Error;
  return new EventLogError("OPTIONS_INVALID", `The id is no key of ${table.entity}: ${cause.message}.`, {
    hint: "Pass a value of the key column's type.",
    cause,
  });
}

function lost(table: TrackedTable, value: unknown): EventLogError {
  return new EventLogError("OPTIONS_INVALID", `The id of ${table.entity} is ${String(value)}, which names no record.`, {
    hint: "Pass a number that JavaScript keeps exactly, or a string or a bigint.",
  });
}

function refused(table: TrackedTable): EventLogError {
  const wanted = table.keyColumns.length === 1 ? "the key's value" : `an object with ${table.keyColumns.join(", ")}`;
  return new EventLogError("OPTIONS_INVALID", `Expected the id of ${table.entity} to be ${wanted}.`, {
    hint:
      table.keyColumns.length === 1
        ? `Pass it as it is, such as 1 or "a-uuid", or as an object { ${table.keyColumns.join("")} }.`
        : "Pass an object with a value for each column, or each property, of the key.",
  });
}
