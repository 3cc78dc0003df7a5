import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import type { FoldTable } from "./fold-table.js";

/**
 * The keys that records had at a point, where migrations gave them others since: what a migration created says which
 * record it was before.
 * Throws POINT_IN_TIME_UNKNOWN if it could not say.
 */
export async function keysAt(
  session: Session,
  schema: string,
  table: FoldTable,
  keys: readonly string[],
  cut: Cut,
): Promise<readonly string[]> {
  const rekeyed = (table.history?.changes ?? []).filter(
    ({ position, report }) => report.rekeyed && position > cut.position,
  );
  let found = keys;
  for (const { position } of rekeyed.toReversed()) {
    const rows = await session.rows(sql`
      select k.ordinal, e.position, e.metadata #>> '{rekeyed,key}' as former
      from unnest(${found}::text[]) with ordinality as k (key, ordinal)
      cross join lateral (
        select e.position, e.metadata from ${raw(schema)}.event e
        where e.table_name = any (${table.logNames}) and e.record_key = k.key
        and e.origin = 'migration' and e.action = 'create' and e.position > ${position}
        order by e.position limit 1
      ) e`);
    const next = [...found];
    for (const { ordinal, position: created, former } of rows) {
      const index = Number(ordinal) - 1;
      if (former == null) throw unknownBefore(table, found[index] ?? "", BigInt(created ?? 0));
      next[index] = former;
    }
    found = next;
  }
  return found;
}

function unknownBefore({ entity }: FoldTable, key: string, position: bigint): EventLogError {
  return new EventLogError(
    "POINT_IN_TIME_UNKNOWN",
    `A migration gave the records of ${entity} other keys, and the log does not know which of them became ${key}: ` +
      `it knows this one from position ${position} on.`,
    {
      hint: "Ask for a later point, or look at the whole table as it was with `shadow()`.",
      details: { entity, recordKey: key, position },
    },
  );
}
