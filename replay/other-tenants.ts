import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { Scope } from "./scope.js";

/**
 * Runs `work`, which writes one tenant's rows, and makes sure that it touched no other's: a foreign key's action (ON DELETE CASCADE,
 * SET NULL) does not ask whose row it is, and the triggers that would record it are off. Throws REPLAY_CROSSES_TENANT.
 */
export async function sparingOtherTenants<T>(session: Session, scope: Scope, work: () => Promise<T>): Promise<T> {
  if (scope.tenant === undefined) return work();
  const before = await others(session, scope);
  const result = await work();
  const after = await others(session, scope);
  for (const [entity, { rows, written }] of after) {
    if (written === 0 && rows === before.get(entity)?.rows) continue;
    throw new EventLogError(
      "REPLAY_CROSSES_TENANT",
      `A foreign key's action would reach ${entity} rows of another tenant.`,
      { hint: "Replay without `tenant`, or move those rows first.", details: { entity } },
    );
  }
  return result;
}

/** The rows of others, by entity: how many there are, and how many were written by this transaction. */
async function others(session: Session, scope: Scope): Promise<Map<string, { rows: number; written: number }>> {
  const found = new Map<string, { rows: number; written: number }>();
  for (const table of scope.tables) {
    const row = await session.row(sql`
      select count(*) as rows, count(*) filter (where l.xmin::text = pg_current_xact_id()::xid::text) as written
      from ${raw(table.sqlName)} l where not (${raw(scope.covers(table))})`);
    found.set(table.entity, { rows: numberOf(row, "rows"), written: numberOf(row, "written") });
  }
  return found;
}
