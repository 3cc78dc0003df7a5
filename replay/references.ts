import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import { isWanted, stays, type Target } from "./difference.js";

/** A foreign key that a replay would break, at its table and name. */
export function brokenReference(table: string | undefined, constraint: string | undefined): EventLogError {
  return new EventLogError(
    "REPLAY_BLOCKED_BY_REFERENCES",
    `Rows of ${table ?? "a table"} refer to rows that would not be there (constraint ${constraint ?? "?"}).`,
    { details: { table, constraint } },
  );
}

interface ForeignKey {
  readonly table: string;
  readonly constraint: string;
  readonly from: string;
  readonly to: string;
  readonly columns: readonly string[];
  readonly referred: readonly string[];
  /** Whether Postgres refuses, and does not take the referring row along, when the row goes or its key changes. */
  readonly refusesDelete: boolean;
  readonly refusesUpdate: boolean;
}

/**
 * What foreign keys would say if live were made equal to the wanted rows, found without writing: for a dry run. Keys
 * that are not validated, or whose columns are not recorded, or whose table this role may not read, not all
 * of, or belongs to another, are passed over.
 * Throws REPLAY_BLOCKED_BY_REFERENCES.
 */
export async function foreseeReferences(session: Session, schema: string, targets: readonly Target[]): Promise<void> {
  const names = targets.map(({ table }) => table.sqlName);
  const rows = await session.rows(sql`
    with target as (select name, name::regclass::oid as oid from unnest(${names}::text[]) as t (name))
    select to_jsonb(k) as key from (
      select r.relname as "table", c.conname as "constraint", c.confdeltype in ('a', 'r') as "refusesDelete", c.confupdtype in ('a', 'r') as "refusesUpdate",
        coalesce((select name from target where oid = c.conrelid), c.conrelid::regclass::text) as "from",
        coalesce((select name from target where oid = c.confrelid), c.confrelid::regclass::text) as "to",
        (select array_agg(a.attname order by k.n) from unnest(c.conkey) with ordinality k (num, n) join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num) as columns,
        (select array_agg(a.attname order by k.n) from unnest(c.confkey) with ordinality k (num, n) join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.num) as referred
      from pg_constraint c join pg_class r on r.oid = c.conrelid
      where c.contype = 'f' and c.conparentid = 0 and c.convalidated
      and (c.conrelid in (select oid from target) or c.confrelid in (select oid from target))
      and ${raw(schema)}.is_readable(c.conrelid)
      and not row_security_active(c.conrelid) and not row_security_active(c.confrelid)
      and has_table_privilege(c.conrelid, 'select') and has_table_privilege(c.confrelid, 'select')
      order by 1, 2
    ) k`);
  for (const { key } of rows) {
    const foreignKey = JSON.parse(key ?? "{}") as ForeignKey;
    const text = brokenRows(foreignKey, targets);
    if (text === undefined) continue;
    if (numberOf(await session.row({ text: `select (${text})::integer as broken`, values: [] }), "broken") > 0)
      throw brokenReference(foreignKey.table, foreignKey.constraint);
  }
}

/** SQL: whether there is a row that would refer to none; undefined where the key cannot be broken. */
function brokenRows({ from, to, ...key }: ForeignKey, targets: readonly Target[]): string | undefined {
  const own = targets.find(({ table }) => table.sqlName === from);
  const referred = targets.find(({ table }) => table.sqlName === to);
  const isRecorded = (target: Target | undefined, names: readonly string[]) =>
    names.every((name) => target?.table.columns.some((column) => column.name === name) ?? true);
  if (!isRecorded(own, key.columns) || !isRecorded(referred, key.referred)) return undefined;
  const matches = (alias: string) =>
    key.columns
      .map((name, index) => `${alias}.${quoteIdentifier(key.referred[index] ?? "")} = x.${quoteIdentifier(name)}`)
      .join(" and ");
  const columns = (alias: string, names: readonly string[]) =>
    names.map((name) => `${alias}.${quoteIdentifier(name)}`).join(", ");
  const isMissing = `not exists (select from (${after(to, referred, (alias) => columns(alias, key.referred))}) y where ${matches("y")})`;
  const isThere = referred === undefined ? "true" : isWanted(referred);
  const isKept = `exists (select from ${to} l where ${matches("l")} and ${isThere})`;
  const isRefused = `case when ${isKept} then ${key.refusesUpdate} else ${key.refusesDelete} end`;
  const refers = (rows: string, more: string) =>
    `exists (select from (${rows}) x where ${key.columns.map((name) => `x.${quoteIdentifier(name)} is not null`).join(" and ")} and ${isMissing} and ${more})`;
  const kept = own === undefined ? "true" : stays(own);
  return [
    ...(own === undefined ? [] : [refers(`select ${columns("f", key.columns)} from ${own.wanted} f`, "true")]),
    ...(referred === undefined
      ? []
      : [refers(`select ${columns("l", key.columns)} from ${from} l where ${kept}`, isRefused)]),
  ].join(" or ");
}

/** A table's rows as they would be: those that are wanted, and those that stay although they are not. */
function after(name: string, target: Target | undefined, columns: (alias: string) => string): string {
  if (target === undefined) return `select ${columns("l")} from ${name} l`;
  return `select ${columns("f")} from ${target.wanted} f union all
    select ${columns("l")} from ${name} l where ${stays(target)}`;
}
