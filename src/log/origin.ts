import type { Origin } from "../../entities/event.js";
import type { Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";

/**
 * Says of an event that this transaction wrote, by an ordinary write that capture saw, where it comes from. No setting
 * and no context can say it: only who may change the log.
 */
export async function markOrigin(session: Session, schema: string, origin: Origin, position: Statement): Promise<void> {
  await permitChanges(session);
  await session.rows(sql`
    update ${raw(schema)}.event e set origin = ${origin}
    where e.position = ${position} and e.transaction_id = pg_current_xact_id()`);
}

/** Leave to change what is stored, until the transaction ends. */
export async function permitChanges(session: Session): Promise<void> {
  await session.rows(sql`select set_config('chronicle.permitted', pg_current_xact_id()::text, true)`);
}
