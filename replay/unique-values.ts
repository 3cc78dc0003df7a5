import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import { differs, sameKey, type Target } from "./difference.js";

/** A value that no row has, of a type that can have one; other types need a column that may be null. */
const freeValues: Readonly<Record<string, string>> = {
  text: "gen_random_uuid()::text",
  "character varying": "gen_random_uuid()::text",
  uuid: "gen_random_uuid()",
  smallint: "-row_number() over ()::smallint - 1",
  integer: "-2000000000 - row_number() over ()::integer",
  bigint: "-9000000000000000000 - row_number() over ()",
  numeric: "-1e30 - row_number() over ()",
};

/**
 * Where kept rows hand a unique value to one another, one UPDATE would fail on the order in which it meets them. The rows that
 * hold such a value give it up first, for null or for a value that nobody has. They are never deleted and inserted again: an
 * untracked child with ON DELETE CASCADE would go with them.
 */
export async function parkUniqueValues(session: Session, { table, wanted }: Target): Promise<void> {
  const indexes = await session.rows(sql`
    select i.indexrelid, to_jsonb(array_agg(a.attname::text order by k.ordinal)) as columns
    from pg_index i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, ordinal)
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = ${table.sqlName}::regclass and i.indisunique and not i.indisprimary and k.ordinal <= i.indnkeyatts
    group by i.indexrelid`);
  for (const index of indexes) {
    const names = (JSON.parse(index.columns ?? "[]") as (string | null)[]).filter((name) => name !== null);
    const columns = table.columns.filter(({ name, identity }) => names.includes(name) && identity !== "a");
    const parked =
      (await nullable(
        session,
        table.sqlName,
        columns.map(({ name }) => name),
      )) ?? columns.find(({ type }) => freeValue(type) !== undefined)?.name;
    const column = columns.find(({ name }) => name === parked);
    if (column === undefined || names.length !== (JSON.parse(index.columns ?? "[]") as unknown[]).length) continue;
    const isNull = (await nullable(session, table.sqlName, [column.name])) !== undefined;
    const same = names.map((name) => `taker.${quoteIdentifier(name)} = holder.${quoteIdentifier(name)}`).join(" and ");
    await session.rows(sql`
      update ${raw(table.sqlName)} l set ${raw(column.quoted)} = p.free
      from (
        select holder.*, ${raw(isNull ? `null::${column.type}` : `(${freeValue(column.type)})::${column.type}`)} as free
        from ${raw(table.sqlName)} holder
        join ${raw(wanted)} own on ${raw(sameKey(table, "holder", "own"))} and ${raw(differs(table, "holder", "own"))}
        where exists (
          select from ${raw(wanted)} taker join ${raw(table.sqlName)} before on ${raw(sameKey(table, "taker", "before"))}
          where ${raw(same)} and not (${raw(sameKey(table, "taker", "holder"))})
        )
      ) p
      where ${raw(sameKey(table, "l", "p"))}`);
  }
}

function freeValue(type: string): string | undefined {
  return freeValues[type.replace(/\(.*\)$/, "")];
}

async function nullable(session: Session, table: string, columns: readonly string[]): Promise<string | undefined> {
  const row = await session.row(sql`
    select attname from pg_attribute
    where attrelid = ${table}::regclass and attname = any (${columns}::text[]) and not attnotnull and not attisdropped limit 1`);
  return row?.attname ?? undefined;
}
