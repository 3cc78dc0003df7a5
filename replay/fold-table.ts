import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../src/core/sql.js";
import { type TrackedTable, trackedTables } from "../src/log/tracked-tables.js";

/** A column that the fold fills: every one that is neither generated nor excluded. */
export interface FoldColumn {
  readonly name: string;
  readonly quoted: string;
  readonly type: string;
  readonly kind: string;
  /** "a" where an update may not set it (GENERATED ALWAYS AS IDENTITY). */
  readonly identity: string;
}

/** A tracked table with its columns as the database has them now. */
export interface FoldTable extends TrackedTable {
  readonly columns: readonly FoldColumn[];
  /** Where the table had rows before it was tracked: the position at which its baseline ended. Events before it may lack a create. */
  readonly baseline: bigint | undefined;
}

/** The tables that replay rebuilds, those for audit only where asked for. Throws NOT_INSTALLED where the log is not there. */
export async function foldTables(
  session: Session,
  dataSource: DataSource,
  { auditOnly = false } = {},
): Promise<FoldTable[]> {
  const { schema, options } = attachmentOf(dataSource);
  const there = await session.row(sql`select to_regclass(${`${schema}.event`}) as there`);
  if (there?.there == null)
    throw new EventLogError("NOT_INSTALLED", `The event log is not installed in schema ${options.schema}.`);
  const tables = trackedTables(dataSource).filter((table) => auditOnly || !table.auditOnly);
  const rows = await session.rows(sql`
    select t.name as table_name, c.name, c.type, c.kind, c.identity
    from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    cross join lateral ${raw(schema)}.columns(t.name::regclass) c
    where not c.generated order by t.name, c.number`);
  const baselines = await session.rows(
    sql`select table_name, baseline_position as position from ${raw(schema)}.tracked where baseline_position is not null`,
  );
  const baselineOf = ({ tableName }: TrackedTable) => {
    const found = baselines.find((row) => row.table_name === tableName);
    return found === undefined ? undefined : BigInt(found.position ?? 0);
  };
  return tables.map((table) => ({
    ...table,
    baseline: baselineOf(table),
    columns: rows
      .filter((row) => row.table_name === table.sqlName && !table.excludedColumns.includes(row.name ?? ""))
      .map(({ name, type, kind, identity }) => ({
        name: name ?? "",
        quoted: quoteIdentifier(name ?? ""),
        type: type ?? "",
        kind: kind ?? "",
        identity: identity ?? "",
      })),
  }));
}

/**
 * The SQL that turns a folded state back into a column's value: the reverse of `image_sql`.
 * `state` is the jsonb, `r` the record that jsonb_populate_record made of it without the columns that are read here.
 */
export function valueSql({ name, quoted, type, kind }: FoldColumn): string {
  const key = quoteLiteral(name);
  if (kind === "text") {
    return `case when jsonb_typeof(state -> ${key}) = 'string' then state ->> ${key} else nullif(state -> ${key}, 'null')::text end::${type}`;
  }
  if (kind === "jsonb") {
    return `case when jsonb_typeof(state -> ${key}) = 'string' then (state ->> ${key})::jsonb else nullif(state -> ${key}, 'null') end::${type}`;
  }
  return `r.${quoted}`;
}

/** Whether jsonb_populate_record must not see the column. */
export function isReadApart({ kind }: FoldColumn): boolean {
  return kind === "text" || kind === "jsonb";
}
