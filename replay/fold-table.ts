import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../src/core/sql.js";
import { refuse } from "../src/log/finding.js";
import { findingsOf } from "../src/log/status.js";
import { type TrackedTable, trackedTables } from "../src/log/tracked-tables.js";

/** A column that the fold fills: every one that is neither generated nor excluded. */
export interface FoldColumn {
  readonly name: string;
  readonly quoted: string;
  readonly type: string;
  readonly kind: string;
  /** "a" where an update may not set it (GENERATED ALWAYS AS IDENTITY). */
  readonly identity: string;
  /** Whether a cast from text does what jsonb_populate_record does: calls the type's own input function. */
  readonly castable: boolean;
}

/** A tracked table with its columns as the database has them now. */
export interface FoldTable extends TrackedTable {
  readonly columns: readonly FoldColumn[];
  /** Every name that it has had in the log, today's first. */
  readonly logNames: readonly string[];
  /** Where the table had rows before it was tracked: the position at which its baseline ended. Events before it may lack a create. */
  readonly baseline: bigint | undefined;
}

/** The tables that replay rebuilds, those for audit only where asked for. Throws NOT_INSTALLED where the log is not there, INSTALL_STALE where a table is not. */
export async function foldTables(
  session: Session,
  dataSource: DataSource,
  { auditOnly = false } = {},
): Promise<FoldTable[]> {
  const { schema, options } = attachmentOf(dataSource);
  const tables = trackedTables(dataSource).filter((table) => auditOnly || !table.auditOnly);
  const found = await session.row(sql`
    select to_regclass(${`${schema}.event`}) as log,
      exists (select from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name) where to_regclass(t.name) is null) as gone`);
  if (found?.log == null)
    throw new EventLogError("NOT_INSTALLED", `The event log is not installed in schema ${options.schema}.`);
  if (found.gone === "t") refuse(await findingsOf(session, dataSource));
  const rows = await session.rows(sql`
    select t.name as table_name, c.name, c.type, c.kind, c.identity, ${raw(castable)} as castable
    from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    cross join lateral ${raw(schema)}.columns(t.name::regclass) c
    join pg_attribute a on a.attrelid = t.name::regclass and a.attnum = c.number
    join pg_type y on y.oid = a.atttypid
    where not c.generated order by t.name, c.number`);
  const tracked = await session.rows(
    sql`select table_name, to_jsonb(former_tables) as former, baseline_position as baseline from ${raw(schema)}.tracked`,
  );
  const inLog = ({ tableName }: TrackedTable) => {
    const { baseline, former } = tracked.find((row) => row.table_name === tableName) ?? {};
    return {
      logNames: [tableName, ...(JSON.parse(former ?? "[]") as string[])],
      baseline: baseline == null ? undefined : BigInt(baseline),
    };
  };
  return tables.map((table) => ({
    ...table,
    ...inLog(table),
    columns: rows
      .filter((row) => row.table_name === table.sqlName && !table.excludedColumns.includes(row.name ?? ""))
      .map(({ name, type, kind, identity, castable }) => ({
        name: name ?? "",
        quoted: quoteIdentifier(name ?? ""),
        type: type ?? "",
        kind: kind ?? "",
        identity: identity ?? "",
        castable: castable === "t",
      })),
  }));
}

/**
 * Over a column `c` with its attribute `a` and type `y`: jsonb_populate_record calls a scalar type's input function with the text of
 * the value, and so does a cast from text, as long as nobody made one that does something else. Not where the type has a length: a
 * cast cuts off what the input function refuses. At 6 columns a record of casts takes 0.7 of the time.
 */
const castable = `c.kind in ('plain', 'float') and y.typtype in ('b', 'e', 'r', 'm') and y.typcategory <> 'A'
  and (a.atttypmod = -1 or a.atttypid in ('numeric'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'time'::regtype, 'timetz'::regtype))
  and not exists (select from pg_cast where castsource = 'text'::regtype and casttarget = a.atttypid and castmethod <> 'b')`;

/**
 * The SQL that turns a folded state back into a column's value: the reverse of `image_sql`.
 * `state` is the jsonb, `r` the record that jsonb_populate_record made of the columns that are not read here.
 */
export function valueSql({ name, quoted, type, kind, castable }: FoldColumn): string {
  const key = quoteLiteral(name);
  if (kind === "text") {
    return `case when jsonb_typeof(state -> ${key}) = 'string' then state ->> ${key} else nullif(state -> ${key}, 'null')::text end::${type}`;
  }
  if (kind === "jsonb") {
    return `case when jsonb_typeof(state -> ${key}) = 'string' then (state ->> ${key})::jsonb else nullif(state -> ${key}, 'null') end::${type}`;
  }
  return castable ? `(state ->> ${key})::${type}` : `r.${quoted}`;
}

/** Whether jsonb_populate_record must not see the column. */
export function isReadApart({ kind, castable }: FoldColumn): boolean {
  return kind === "text" || kind === "jsonb" || castable;
}
