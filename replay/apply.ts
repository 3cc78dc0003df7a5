import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier } from "../src/core/sql.js";
import { checkedAtOnce } from "./foreign-keys.js";
import { differs, sameKey, type Target } from "./difference.js";
import { withoutTriggers } from "./triggers.js";
import { prepareHandover } from "./unique-values.js";

export interface AppliedRows {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/**
 * Makes live tables equal to the wanted rows and touches no other row: deletes, updates and inserts of all tables are
 * one statement, because foreign keys are checked at its end. So no order of tables is needed, and cycles are no
 * special case. Capture and the application's own triggers are off meanwhile. \`clear\` runs first, under the same, and
 * returns how many rows it deleted. A constraint that the rows break is Postgres's own error: \`constraintError\` names
 * it.
 */
export async function apply(
  session: Session,
  targets: readonly Target[],
  clear: () => Promise<number> = () => Promise.resolve(0),
): Promise<AppliedRows> {
  if (targets.length === 0) return { inserted: 0, updated: 0, deleted: 0 };
  return withoutTriggers(
    session,
    targets.map(({ table }) => table),
    async () => {
      const cleared = await clear();
      const prepared: Prepared[] = [];
      for (const target of targets) prepared.push({ ...target, moves: await prepareHandover(session, target) });
      // Into a table that was analyzed when it was empty, a nested loop would read all that it has inserted again
      // for each row.
      await session.run("set local enable_nestloop = off");
      const row = await checkedAtOnce(session, targets, () => session.row({ text: statementOf(prepared), values: [] }));
      await session.run("set local enable_nestloop to default");
      return {
        inserted: numberOf(row, "inserted"),
        updated: numberOf(row, "updated"),
        deleted: cleared + numberOf(row, "deleted"),
      };
    },
  );
}

interface Prepared extends Target {
  /** SQL over a live row `l` and a wanted row `f`: whether the row is taken out and put back, not updated. */
  readonly moves: string | undefined;
}

function statementOf(targets: readonly Prepared[]): string {
  const parts = targets.map((target, index) => ({ ...partsOf(target), index }));
  const named = (name: keyof Parts, prefix: string) =>
    parts.flatMap(({ index, [name]: part }) => (part === undefined ? [] : [`${prefix}${index} as (${part})`]));
  const count = (...lists: (readonly string[])[]) =>
    ["0", ...lists.flat().map((part) => `(select count(*) from ${part.slice(0, part.indexOf(" "))})`)].join(" + ");
  const [deletes, takes, updates] = [named("delete", "d"), named("take", "t"), named("update", "u")];
  const [puts, inserts] = [named("put", "p"), named("insert", "i")];
  // Reading a count makes Postgres finish what it counts first: rows give values up before others take them.
  const gone = `gone as materialized (select ${count(deletes)} as deleted, ${count(takes)} as taken)`;
  const updated = `updated as materialized (select ${count(updates)} as updated)`;
  return `with ${[...deletes, ...takes, gone, ...updates, updated, ...puts, ...inserts].join(",\n")}
    select (select deleted from gone) as deleted, (select updated from updated) + ${count(puts)} as updated, ${count(inserts)} as inserted`;
}

interface Parts {
  readonly delete: string | undefined;
  readonly take: string | undefined;
  readonly update: string | undefined;
  readonly put: string | undefined;
  readonly insert: string | undefined;
}

/** What there is to do; of that which is known to find nothing, nothing. */
function partsOf({ table, wanted, mayDelete, moves, known }: Prepared): Parts {
  const list = (names: readonly string[]) => names.join(", ");
  const columns = table.columns.map(({ quoted }) => quoted);
  const excluded = table.excludedColumns.map(quoteIdentifier);
  const set = table.columns.filter(({ identity }) => identity !== "a").map(({ quoted }) => `${quoted} = f.${quoted}`);
  const [same, changed] = [sameKey(table, "l", "f"), differs(table, "l", "f")];
  const afterDeletes = "(select deleted + taken from gone) >= 0";
  const afterUpdates = "(select updated from updated) >= 0";
  return {
    delete:
      known?.unexpected === 0
        ? undefined
        : `delete from ${table.sqlName} l where not exists (select from ${wanted} f where ${same}) and ${mayDelete} returning 1`,
    take: moves && `delete from ${table.sqlName} l using ${wanted} f where ${same} and ${moves} returning 1`,
    update:
      set.length === 0 || known?.different === 0
        ? undefined
        : `update ${table.sqlName} l set ${set.join(", ")} from ${wanted} f
          where ${same} and ${changed} ${moves === undefined ? "" : `and not ${moves}`} and ${afterDeletes} returning 1`,
    put:
      moves &&
      `insert into ${table.sqlName} (${list([...columns, ...excluded])}) overriding system value
        select ${list([...columns.map((name) => `f.${name}`), ...excluded.map((name) => `l.${name}`)])}
        from ${wanted} f join ${table.sqlName} l on ${same} where ${moves} and ${afterUpdates} returning 1`,
    insert:
      known?.missing === 0
        ? undefined
        : `insert into ${table.sqlName} (${list(columns)}) overriding system value
          select ${list(columns)} from ${wanted} f
          where not exists (select from ${table.sqlName} l where ${same}) and ${afterUpdates} returning 1`,
  };
}
