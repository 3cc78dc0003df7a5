import type { Session } from "../src/core/session.js";
import { quoteIdentifier, sql } from "../src/core/sql.js";
import type { FoldTable } from "./fold-table.js";

/** How a trigger that fires is enabled, by pg_trigger.tgenabled. */
const enabling: Readonly<Record<string, string>> = { O: "enable", A: "enable always", R: "enable replica" };

/**
 * Runs `work` with the triggers of the tables, capture and the application's own, disabled, and puts each back as it was.
 * Foreign keys go on being checked. All of it is part of the transaction, so nothing stays disabled whatever happens.
 */
export async function withoutTriggers<T>(
  session: Session,
  tables: readonly FoldTable[],
  work: () => Promise<T>,
): Promise<T> {
  const triggers = await session.rows(sql`
    select distinct p.relid::regclass as relation, g.tgname as name, g.tgenabled as state
    from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    cross join lateral (select t.name::regclass::oid as relid union select relid from pg_partition_tree(t.name::regclass)) p
    join pg_trigger g on g.tgrelid = p.relid and not g.tgisinternal and g.tgenabled <> 'D'`);
  const change = (command: (state: string) => string) =>
    triggers.map(
      ({ relation, name, state }) =>
        `alter table only ${relation} ${command(state ?? "O")} trigger ${quoteIdentifier(name ?? "")}`,
    );
  await session.run(change(() => "disable").join("; "));
  const result = await work();
  await session.run(["set constraints all immediate", ...change((state) => enabling[state] ?? "enable")].join("; "));
  return result;
}
