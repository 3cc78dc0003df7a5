import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { differs, sameKey, type Target } from "./difference.js";
import { withoutTriggers } from "./triggers.js";
import { parkUniqueValues } from "./unique-values.js";

export interface AppliedRows {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/**
 * Makes live tables equal to the wanted rows and touches no other row: deletes, updates and inserts of all tables are one
 * statement, because foreign keys are checked at its end. So no order of tables is needed, and cycles are no special case.
 * Capture and the application's own triggers are off meanwhile.
 * Throws REPLAY_BLOCKED_BY_REFERENCES, REPLAY_INVALID_ROWS.
 */
export async function apply(session: Session, targets: readonly Target[]): Promise<AppliedRows> {
  if (targets.length === 0) return { inserted: 0, updated: 0, deleted: 0 };
  try {
    return await withoutTriggers(
      session,
      targets.map(({ table }) => table),
      async () => {
        for (const target of targets) await parkUniqueValues(session, target);
        const row = await session.row({ text: statementOf(targets), values: [] });
        return {
          inserted: numberOf(row, "inserted"),
          updated: numberOf(row, "updated"),
          deleted: numberOf(row, "deleted"),
        };
      },
    );
  } catch (error) {
    throw named(error);
  }
}

function statementOf(targets: readonly Target[]): string {
  const deletes = targets.map(
    ({ table, wanted, mayDelete }, index) => `d${index} as (
    delete from ${table.sqlName} l where not exists (select from ${wanted} f where ${sameKey(table, "l", "f")}) and ${mayDelete} returning 1)`,
  );
  const count = (prefix: string) => targets.map((_, index) => `(select count(*) from ${prefix}${index})`).join(" + ");
  // Reading a count makes Postgres finish what it counts first: deletes give values up before updates and inserts take them.
  const updates = targets.flatMap(({ table, wanted }, index) => {
    const set = table.columns.filter(({ identity }) => identity !== "a").map(({ quoted }) => `${quoted} = f.${quoted}`);
    if (set.length === 0) return [`u${index} as (select 1 where false)`];
    return [
      `u${index} as (
    update ${table.sqlName} l set ${set.join(", ")} from ${wanted} f
    where ${sameKey(table, "l", "f")} and ${differs(table, "l", "f")} and (select deleted from deleted) >= 0 returning 1)`,
    ];
  });
  const inserts = targets.map(({ table, wanted }, index) => {
    const columns = table.columns.map(({ quoted }) => quoted).join(", ");
    return `i${index} as (
    insert into ${table.sqlName} (${columns}) overriding system value
    select ${columns} from ${wanted} f
    where not exists (select from ${table.sqlName} l where ${sameKey(table, "l", "f")}) and (select updated from updated) >= 0 returning 1)`;
  });
  return `with ${[...deletes, `deleted as materialized (select ${count("d")} as deleted)`, ...updates, `updated as materialized (select ${count("u")} as updated)`, ...inserts].join(",\n")}
    select (select deleted from deleted) as deleted, (select updated from updated) as updated, ${count("i")} as inserted`;
}

function named(error: unknown): unknown {
  const { table, constraint } = error as { table?: string; constraint?: string };
  const state = stateOf(error) ?? "";
  if (state === "23503" || state === "23001") {
    return new EventLogError(
      "REPLAY_BLOCKED_BY_REFERENCES",
      `Rows of ${table ?? "another table"} refer to rows that the log does not have (constraint ${constraint ?? "?"}).`,
      {
        details: { table, constraint },
      },
    );
  }
  if (state.startsWith("23")) {
    return new EventLogError(
      "REPLAY_INVALID_ROWS",
      `The rebuilt rows break the constraint ${constraint ?? ""} of ${table ?? "a table"} (SQLSTATE ${state}).`,
      {
        details: { table, constraint, state },
      },
    );
  }
  return error;
}
