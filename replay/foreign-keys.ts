import { stateOf } from "../src/core/database-errors.js";
import type { Session } from "../src/core/session.js";
import { sql } from "../src/core/sql.js";
import type { Target } from "./difference.js";

/**
 * Runs `work`, which fills tables, with the foreign keys between those that are empty not enforced, and lets Postgres check each by
 * one query afterwards: checking each row is a third of all the work. PostgreSQL before 18 knows no way to do that.
 *
 * It takes a lock that makes readers of these tables wait, who would find nothing there; where somebody reads one now, rows are checked
 * one by one. All of it is part of the transaction, so nothing stays switched off whatever happens.
 */
export async function checkedAtOnce<T>(
  session: Session,
  targets: readonly Target[],
  work: () => Promise<T>,
): Promise<T> {
  const empty: string[] = [];
  for (const { table, known } of targets) {
    if (known === undefined) continue; // they may have been emptied just now: readers still see what was there
    const row = await session.row({ text: `select exists (select from ${table.sqlName}) as found`, values: [] });
    if (row?.found === "f") empty.push(table.sqlName);
  }
  const keys = await session.rows(sql`
    select format('alter table %s alter constraint %I', c.conrelid::regclass, c.conname) as command
    from pg_constraint c
    where c.contype = 'f' and c.convalidated and c.conparentid = 0 and (to_jsonb(c.*) ->> 'conenforced')::boolean
    and c.conrelid = any (${empty}::regclass[]) and c.confrelid = any (${empty}::regclass[])
    and not exists (select from pg_class r where r.oid in (c.conrelid, c.confrelid) and r.relkind <> 'r')`);
  if (keys.length === 0 || !(await lockedAtOnce(session, empty))) return work();
  const change = (how: string) => keys.map(({ command }) => `${command} ${how}`).join("; ");
  await session.run(change("not enforced"));
  const result = await work();
  // Keys of other tables may be deferred, and no table is altered while a check of it is due.
  await session.run(`set constraints all immediate; ${change("enforced")}`);
  return result;
}

async function lockedAtOnce(session: Session, tables: readonly string[]): Promise<boolean> {
  await session.run("savepoint foreign_keys");
  try {
    await session.run(
      `lock table only ${tables.join(", only ")} in access exclusive mode nowait; release savepoint foreign_keys`,
    );
    return true;
  } catch (error) {
    if (stateOf(error) !== "55P03") throw error;
    await session.run("rollback to savepoint foreign_keys; release savepoint foreign_keys");
    return false;
  }
}
