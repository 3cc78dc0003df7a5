import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session, TextRow } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql } from "../src/core/sql.js";
import { isClassOfToday } from "../src/log/class-shapes.js";
import { refuse } from "../src/log/finding.js";
import { type HiddenRows, rowsHidden, tablesWithHiddenRows } from "../src/log/hidden-rows.js";
import { refuseTablesOfOthers } from "../src/log/ownership.js";
import { readSchemaHistories } from "../src/log/read-schema-history.js";
import type { SchemaHistory } from "../src/log/schema-history.js";
import { findingsOf } from "../src/log/status.js";
import type { ShapeColumn } from "../src/log/table-shape.js";
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
  /**
   * If a cast to its type might run code of others: SQL over `f.state`, and over a row `t` of the table, that gives the
   * value in a type of the same text.
   */
  readonly asRecorded?: { readonly state: string; readonly live: string } | undefined;
}

/** A tracked table with its columns as the database has them now. */
export interface FoldTable extends TrackedTable {
  readonly columns: readonly FoldColumn[];
  /** Every name that it has had in the log, today's first. */
  readonly logNames: readonly string[];
  /**
   * Where the table had rows before it was tracked: the position at which its baseline ended. Events before it may lack
   * a create.
   */
  readonly baseline: bigint | undefined;
  /** SQL over `d.data`, the data of an event `e`: the same under today's names; null if it stands under them. */
  readonly today: string | null;
  /** What columns hold in records whose events do not have them: JSON, null if there are none. */
  readonly fills: string | null;
  /** The shapes that it had; undefined if it never had another one. */
  readonly history: SchemaHistory | undefined;
  /** Every column that the table has, also those that are excluded or generated. */
  readonly columnNames: readonly string[];
  /** Whether a cast to its types, or reading its rows, might run code of others. (Default: false) */
  readonly isOfOthers?: boolean | undefined;
  /** Why it cannot be folded now, as a sentence: it changed since the last install. */
  readonly stale: string | undefined;
  /** Where a migration's rows are not recorded, because row level security hides some: then no install() helps. */
  readonly hidden?: HiddenRows | undefined;
}

/**
 * The tables that replay rebuilds, those for audit only if asked for. Tables that changed since the last install are
 * refused, and those whose values cannot be read without running code of others, unless the caller does that itself for
 * those that it folds.
 * Throws NOT_INSTALLED if the log is not there, INSTALL_STALE if a table is gone or changed, OTHER_OWNER, ROWS_HIDDEN.
 */
export async function foldTables(
  session: Session,
  dataSource: DataSource,
  { auditOnly = false, allowStale = false, allowOthers = false } = {},
): Promise<FoldTable[]> {
  const { schema, options } = attachmentOf(dataSource);
  const tables = trackedTables(dataSource).filter((table) => auditOnly || !table.auditOnly);
  const there = await session.row(sql`
    select to_regclass(${`${schema}.event`}) as log,
      exists (select from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name) where to_regclass(t.name) is null) as gone`);
  if (there?.log == null)
    throw new EventLogError("NOT_INSTALLED", `The event log is not installed in schema ${options.schema}.`);
  if (there.gone === "t") refuse(await findingsOf(session, dataSource));
  if (!allowOthers) await refuseTablesOfOthers(session, schema, tables);
  const rows = await session.rows(sql`
    select t.name as table_name, c.name, c.type, c.kind, c.identity, c.generated, ${raw(castable)} as castable
    from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    cross join lateral ${raw(schema)}.columns(t.name::regclass) c
    join pg_attribute a on a.attrelid = t.name::regclass and a.attnum = c.number
    join pg_type y on y.oid = a.atttypid
    order by t.name, c.number`);
  const tracked = await session.rows(sql`
    select t.id, t.table_name, to_jsonb(t.former_tables) as former, t.baseline_position as baseline,
      nullif(t.fills, '{}') as fills, t.unfinished is not null as unfinished,
      ${raw(schema)}.is_followed(t) as followed, to_jsonb(t.key_columns) as keys, t.columns,
      (select jsonb_agg(a.attname) from pg_attribute a where a.attrelid = t.table_oid and a.attgenerated = 'v') as computed,
      exists (select from ${raw(schema)}.schema_change c where c.tracked_id = t.id)
        or exists (select from ${raw(schema)}.table_shape c where c.tracked_id = t.id) as reshaped
    from ${raw(schema)}.tracked t where t.table_name = any (${tables.map(({ tableName }) => tableName)})`);
  const reshaped = tracked.filter((row) => row.reshaped === "t").map(({ id }) => id ?? "");
  const histories = reshaped.length === 0 ? undefined : await readSchemaHistories(session, schema, reshaped);
  const unfinished = tables.filter(({ tableName }) =>
    tracked.some((row) => row.table_name === tableName && row.unfinished === "t"),
  );
  const hidden = unfinished.length === 0 ? [] : await tablesWithHiddenRows(session, unfinished);
  const found = tables.map((table): FoldTable => {
    const row = tracked.find(({ table_name }) => table_name === table.tableName) ?? {};
    const history = histories?.get(row.id ?? "");
    const own = rows.filter(({ table_name }) => table_name === table.sqlName);
    const columnNames = own.map(({ name }) => name ?? "");
    return {
      ...table,
      logNames: [table.tableName, ...(JSON.parse(row.former ?? "[]") as string[])],
      baseline: row.baseline == null ? undefined : BigInt(row.baseline),
      today: history?.todaySql(schema) ?? null,
      fills: row.fills ?? null,
      history,
      columnNames,
      stale: stalenessOf(dataSource, table, columnNames, row),
      hidden: hidden.find(({ name }) => name === table.sqlName),
      columns: own
        .filter(({ generated, name }) => generated === "f" && !table.excludedColumns.includes(name ?? ""))
        .map(({ name, type, kind, identity, castable }) => ({
          name: name ?? "",
          quoted: quoteIdentifier(name ?? ""),
          type: type ?? "",
          kind: kind ?? "",
          identity: identity ?? "",
          castable: castable === "t",
        })),
    };
  });
  if (!allowStale) refuseStale(found);
  return found;
}

/** Why a table cannot be folded now, if so; `row` is its row of `tracked`. */
function stalenessOf(
  dataSource: DataSource,
  table: TrackedTable,
  names: readonly string[],
  row: TextRow,
): string | undefined {
  const { entity, tableName, metadata, keyColumns } = table;
  const there = new Set([...names, ...(JSON.parse(row.computed ?? "[]") as string[])]);
  const missing = metadata.columns.filter(
    ({ databaseName, isVirtualProperty }) => !isVirtualProperty && !there.has(databaseName),
  );
  if (missing.length > 0) {
    const list = missing.map(({ databaseName }) => databaseName).join(", ");
    return `The table ${tableName} does not have columns that ${entity} has: ${list}.`;
  }
  const hasSameKey = JSON.stringify(JSON.parse(row.keys ?? "[]")) === JSON.stringify(keyColumns);
  if (row.followed !== "t" || !hasSameKey) return `${entity} (${tableName}) changed since the last install.`;
  if (isClassOfToday(dataSource, table, JSON.parse(row.columns ?? "[]") as ShapeColumn[])) return undefined;
  return `A migration changed columns of ${entity} (${tableName}) after this process started.`;
}

/**
 * Throws INSTALL_STALE for tables that are not as the last install left them: what the log holds would be misread; and
 * ROWS_HIDDEN where install() could not record what a migration did to their rows.
 */
export function refuseStale(tables: readonly FoldTable[]): void {
  const hidden = tables.flatMap((table) => table.hidden ?? []);
  if (hidden.length > 0) throw rowsHidden(hidden, tables);
  const stale = tables.flatMap(({ stale: sentence }) => sentence ?? []);
  if (stale.length === 0) return;
  throw new EventLogError("INSTALL_STALE", stale.join(" "), {
    hint: "Run install(): it finds what changed. " + "Restart processes that still run older classes.",
    details: { entities: tables.filter((table) => table.stale !== undefined).map(({ entity }) => entity) },
  });
}

/**
 * Over a column `c` with its attribute `a` and type `y`: jsonb_populate_record calls a scalar type's input function
 * with the text of the value, and so does a cast from text, as long as nobody made one that does something else. Not
 * where the type has a length: a cast cuts off what the input function refuses. At 6 columns a record of casts takes
 * 0.7 of the time.
 */
const castable = `c.kind in ('plain', 'float') and y.typtype in ('b', 'e', 'r', 'm') and y.typcategory <> 'A'
  and (a.atttypmod = -1 or a.atttypid in ('numeric'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'time'::regtype, 'timetz'::regtype))
  and not exists (select from pg_cast where castsource = 'text'::regtype and casttarget = a.atttypid and castmethod <> 'b')`;

/**
 * The SQL that turns a folded state back into a column's value: the reverse of `image_sql`.
 * `f.state` is the jsonb, `r` the record that jsonb_populate_record made of the columns that are not read here.
 */
export function valueSql({ name, quoted, type, kind, castable, asRecorded }: FoldColumn): string {
  if (asRecorded !== undefined) return asRecorded.state;
  const key = quoteLiteral(name);
  if (kind === "text") {
    return `case
      when jsonb_typeof(f.state -> ${key}) = 'string' then f.state ->> ${key}
      else nullif(f.state -> ${key}, 'null')::text
    end::${type}`;
  }
  if (kind === "jsonb") {
    return `case
      when jsonb_typeof(f.state -> ${key}) = 'string' then (f.state ->> ${key})::jsonb
      else nullif(f.state -> ${key}, 'null')
    end::${type}`;
  }
  return castable ? `(f.state ->> ${key})::${type}` : `r.${quoted}`;
}

/** Whether jsonb_populate_record must not see the column. */
export function isReadApart({ kind, castable, asRecorded }: FoldColumn): boolean {
  return asRecorded !== undefined || kind === "text" || kind === "jsonb" || castable;
}
