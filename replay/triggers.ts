import type { Session } from "../src/core/session.js";
import { quoteIdentifier, sql } from "../src/core/sql.js";
import type { FoldTable } from "./fold-table.js";

/** How what fires is enabled, by pg_trigger.tgenabled and pg_rewrite.ev_enabled. */
const enabling: Readonly<Record<string, string>> = { O: "enable", A: "enable always", R: "enable replica" };

/**
 * Runs `work` with the triggers and rules of the tables, capture and the application's own, disabled, and puts each back as it
 * was. Foreign keys go on being checked. All of it is part of the transaction, so nothing stays disabled whatever happens.
 */
export async function withoutTriggers<T>(
  session: Session,
  tables: readonly FoldTable[],
  work: () => Promise<T>,
): Promise<T> {
  const found = await session.rows(sql`
    with relation as (
      select relid from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
      cross join lateral (select t.name::regclass::oid as relid union select relid from pg_partition_tree(t.name::regclass)) p
    )
    select distinct r.relid::regclass as relation, 'trigger' as kind, g.tgname as name, g.tgenabled as state
    from relation r join pg_trigger g on g.tgrelid = r.relid and not g.tgisinternal and g.tgenabled <> 'D'
    union all
    select distinct r.relid::regclass, 'rule', w.rulename, w.ev_enabled
    from relation r join pg_rewrite w on w.ev_class = r.relid and w.ev_type <> '1' and w.ev_enabled <> 'D'`);
  const change = (command: (state: string) => string) =>
    found.map(
      ({ relation, kind, name, state }) =>
        `alter table only ${relation} ${command(state ?? "O")} ${kind} ${quoteIdentifier(name ?? "")}`,
    );
  await session.run(change(() => "disable").join("; "));
  const result = await work();
  await session.run(["set constraints all immediate", ...change((state) => enabling[state] ?? "enable")].join("; "));
  return result;
}
