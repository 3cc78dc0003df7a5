import type { DataSource, EntityManager } from "typeorm";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Target } from "./difference.js";

/**
 * Deletes the rows that a rebuild makes anew, in one statement, because foreign keys are checked at its end; returns how many.
 * Never TRUNCATE: a reader with an older snapshot would see no rows at all.
 * Throws REPLAY_BLOCKED_BY_REFERENCES where rows of other tables refer to them: they would go too, or stand in the way.
 */
export async function deleteAll(session: Session, schema: string, targets: readonly Target[]): Promise<number> {
  await refuseReferences(session, schema, targets);
  const deletes = targets.map(
    ({ table, mayDelete }, index) => `d${index} as (delete from ${table.sqlName} l where ${mayDelete} returning 1)`,
  );
  const count = targets.map((_, index) => `(select count(*) from d${index})`).join(" + ");
  const row = await session.row({ text: `with ${deletes.join(", ")} select ${count} as deleted`, values: [] });
  return numberOf(row, "deleted");
}

/**
 * The same by the application's own function, for tables that only it knows how to clear. It gets a manager in the replay's
 * transaction; what it leaves is made equal afterwards.
 */
export async function clearBy(
  session: Session,
  dataSource: DataSource,
  targets: readonly Target[],
  clear: (manager: EntityManager) => Promise<void>,
): Promise<number> {
  const before = await countRows(session, targets);
  await session.run("set local search_path to default");
  await clear(session.manager(dataSource));
  await session.run("set local search_path = pg_catalog, pg_temp");
  return before - (await countRows(session, targets));
}

async function countRows(session: Session, targets: readonly Target[]): Promise<number> {
  let rows = 0;
  for (const { table } of targets)
    rows += numberOf(await session.row(sql`select count(*) as rows from ${raw(table.sqlName)}`), "rows");
  return rows;
}

/**
 * Throws REPLAY_BLOCKED_BY_REFERENCES with the tables whose rows refer to a rebuild's, and with those that are not read
 * because that would run code of another role.
 */
export async function refuseReferences(session: Session, schema: string, targets: readonly Target[]): Promise<void> {
  const keys = await session.rows(sql`
    with target as (
      select p.relid as oid from unnest(${targets.map(({ table }) => table.sqlName)}::text[]) as t (name)
      cross join lateral (select t.name::regclass::oid as relid union select relid from pg_partition_tree(t.name::regclass)) p
    )
    select c.conrelid::regclass as "table", c.conname as "constraint",
      ${raw(schema)}.is_readable(c.conrelid) as readable,
      (select string_agg(format('%I is not null', a.attname), ' and ') from pg_attribute a where a.attrelid = c.conrelid and a.attnum = any (c.conkey)) as refers
    from pg_constraint c
    where c.contype = 'f' and c.conparentid = 0 and c.confrelid in (select oid from target) and c.conrelid not in (select oid from target)
    order by 1, 2`);
  const references: { table: string; constraint: string; rows: number | null }[] = [];
  for (const { table, constraint, refers, readable } of keys) {
    const count = sql`select count(*) as rows from ${raw(table ?? "")} where ${raw(refers ?? "true")}`;
    const rows = readable === "t" ? numberOf(await session.row(count), "rows") : null;
    if (rows !== 0) references.push({ table: table ?? "", constraint: constraint ?? "", rows });
  }
  if (references.length === 0) return;
  const list = references
    .map(({ table, constraint, rows }) =>
      rows === null
        ? `${table} (by ${constraint}; it belongs to another role, so its rows are not read)`
        : `${table} (${rows} by ${constraint})`,
    )
    .join(", ");
  throw new EventLogError(
    "REPLAY_BLOCKED_BY_REFERENCES",
    `Rows of other tables refer, or may refer, to rows that a rebuild deletes: ${list}.`,
    {
      hint: 'Leave out `apply: "rebuild"`, or clear them in `replay.clear`.',
      details: { references },
    },
  );
}
