import type { Session } from "../src/core/session.js";
import { quoteLiteral, raw, sql } from "../src/core/sql.js";
import { refuseTablesOfOthers, tablesOfOthers } from "../src/log/ownership.js";
import { type FoldTable, isReadApart, valueSql } from "./fold-table.js";

/**
 * Changes the tables whose records could not be folded without running code of others. The log has values of their
 * types as text: they are given so, of a domain as what the domain is made of, and never become values of the type.
 * Generated columns, which their expressions would have to compute, are left out.
 * Throws OTHER_OWNER if bounds of a partition that is gone would have to be computed, or if a migration rewrote rows:
 * they had to be read to record what became of them.
 */
export async function asRecorded(session: Session, schema: string, tables: readonly FoldTable[]): Promise<FoldTable[]> {
  const ofOthers = await tablesOfOthers(session, schema, tables);
  const changed: FoldTable[] = [];
  for (const table of tables)
    changed.push(ofOthers.includes(table) ? await withoutCasts(session, schema, table) : table);
  return changed;
}

async function withoutCasts(session: Session, schema: string, table: FoldTable): Promise<FoldTable> {
  const emptied = table.history?.changes.some((change) => change.emptied.length > 0) ?? false;
  const tracked = await session.row(sql`
    select unfinished is not null as unfinished from ${raw(schema)}.tracked where table_name = ${table.tableName}`);
  if (emptied || tracked?.unfinished === "t") await refuseTablesOfOthers(session, schema, [table]);
  const rows = await session.rows(sql`
    select c.name, c.generated, ${raw(schema)}.are_own(array[a.atttypid]) as own,
      ${raw(schema)}.output_sql(format('t.%I', c.name)) as output, case
      when ${raw(schema)}.are_own(array[b.type]) then format_type(b.type, -1)
    end as base
    from ${raw(schema)}.columns(${table.sqlName}::regclass) c
    join pg_attribute a on a.attrelid = ${table.sqlName}::regclass and a.attnum = c.number
    cross join lateral ${raw(schema)}.base_type_of(a.atttypid) b (type)`);
  const generated = rows.filter(({ generated: is }) => is === "t").map(({ name }) => name ?? "");
  return {
    ...table,
    isOfOthers: true,
    excludedColumns: [...table.excludedColumns, ...generated],
    columns: table.columns.map((column) => {
      const { own, base, output } = rows.find(({ name }) => name === column.name) ?? {};
      const [state, live] = [`f.state -> ${quoteLiteral(column.name)}`, `t.${column.quoted}`];
      const asIs = { state: isReadApart(column) ? valueSql(column) : readAs(state, column.type), live };
      return {
        ...column,
        asRecorded:
          own === "t"
            ? asIs
            : { state: textOf(state, base), live: base == null ? (output ?? live) : `${live}::${base}` },
      };
    }),
  };
}

/** The rows of a table as its fold has them. */
export function liveRows({ sqlName, columns, isOfOthers }: FoldTable): string {
  if (isOfOthers !== true) return sqlName;
  const list = columns.map(({ quoted, asRecorded: given }) => `${given?.live ?? `t.${quoted}`} as ${quoted}`);
  return `(select ${list.join(", ")} from ${sqlName} t)`;
}

/** A value by its type's input function, as jsonb_populate_record reads it. */
function readAs(state: string, type: string): string {
  return `(select v.value from jsonb_to_record(jsonb_build_object('value', ${state})) as v (value ${type}))`;
}

/** The text of a value; also of an array that was recorded as one, before its type was another role's. */
function textOf(state: string, base: string | null | undefined): string {
  const text = `(${state}) #>> '{}'`;
  if (base === "json" || base === "jsonb") return `(${text})::${base}`;
  const all = `(case when jsonb_typeof(${state}) = 'array' then ${readAs(state, "text[]")}::text else ${text} end)`;
  return base == null ? all : `${all}::${base}`;
}
