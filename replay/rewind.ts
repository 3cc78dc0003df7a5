import { contextWith } from "../src/core/request-context.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import { countDifference, differs, sameKey } from "./difference.js";
import { foldOnly } from "./fold.js";
import type { FoldTable } from "./fold-table.js";

/** How many changes one call records: bounds the memory of an array of them. */
const batch = 1_000;

/**
 * Records what leads from one fold to another as ordinary events, by key, so that the log stays linear and its end is
 * the new state. Who and why come from the request context that is open, with `metadata` on top. Returns how many
 * events it wrote; a dry run only counts them.
 */
export async function recordDifference(
  session: Session,
  {
    schema,
    table,
    before,
    after,
    origin,
    metadata,
    dryRun = false,
  }: {
    schema: string;
    table: FoldTable;
    before: string;
    after: string;
    origin: "rewind";
    metadata: Record<string, unknown>;
    dryRun?: boolean;
  },
): Promise<number> {
  if (dryRun) {
    const { missing, unexpected, different } = await countDifference(session, table, before, after);
    return missing + unexpected + different;
  }
  const generated = await generatedColumns(session, table);
  const withGenerated = (fold: string) => `(select g.*${generated} from ${fold} g)`;
  const key = raw(quoteIdentifier(table.keyColumns[0] ?? ""));
  const context = contextWith(metadata, { actionName: undefined });
  const image = await imageSql(session, schema, table);
  const byKey = table.keyColumns
    .map((name) => `coalesce(o.${quoteIdentifier(name)}, n.${quoteIdentifier(name)})`)
    .join(", ");
  const row = await session.row(sql`
    select coalesce(sum(written), 0) as written
    from (
      select ${raw(schema)}.append(list, ${origin}, ${context}::jsonb) as written
      from (
        select array_agg(row(ordinal, ${table.tableName}, old, new)::${raw(schema)}.change order by ordinal) as list
        from (
          select row_number() over (order by ${raw(byKey)}) as ordinal, o.image as old, n.image as new
          from (select t.*, ${raw(image)} as image from ${raw(withGenerated(before))} t) o
          full join (select t.*, ${raw(image)} as image from ${raw(withGenerated(after))} t) n on ${raw(sameKey(table, "o", "n"))}
          where o.${key} is null or n.${key} is null or ${raw(differs(table, "o", "n"))}
        ) change
        group by ordinal / ${batch} order by min(ordinal)
      ) batch
    ) batches`);
  return numberOf(row, "written");
}

/**
 * The image of a row `t` of a fold with its generated columns, in the form that the table's own rows have in the log.
 */
export async function imageSql(session: Session, schema: string, table: FoldTable): Promise<string> {
  const without = [...foldOnly, ...table.excludedColumns];
  const row = await session.row(
    sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${without}::text[]) as sql`,
  );
  return row?.sql ?? "";
}

/**
 * The generated columns, which a fold does not have, as SQL to select beside it: events hold whole rows.
 * Left out where one could be made of an excluded column.
 */
export async function generatedColumns(session: Session, table: FoldTable): Promise<string> {
  if (table.excludedColumns.length > 0) return "";
  const rows = await session.rows(sql`
    select a.attname as name, pg_get_expr(d.adbin, d.adrelid) as made
    from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = ${table.sqlName}::regclass and a.attgenerated <> '' and not a.attisdropped`);
  return rows.map(({ name, made }) => `, (${made}) as ${quoteIdentifier(name ?? "")}`).join("");
}
