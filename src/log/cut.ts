import { raw, sql, type Statement } from "../core/sql.js";

/**
 * What a point in time came down to: events up to `position`, except those of transactions that are left out: because they also
 * wrote above it, or had not ended. So a transaction is in it whole or not at all, and no effect is in it without its cause.
 */
export interface Cut {
  readonly position: bigint;
  /** Transaction ids, as text; they mean something in `epoch` alone. */
  readonly leftOut: readonly string[];
  /** Transaction ids from here on are left out too. (Default: none) */
  readonly before?: string | undefined;
  /** Transaction ids of another cluster, before a dump and restore, are others. */
  readonly epoch: number;
}

/** SQL over an event: whether it is in the cut. */
export function inCut(cut: Cut, event = "e"): Statement {
  const e = raw(event);
  const open = leftOutOf(cut, event);
  if (open === undefined) return sql`${e}.position <= ${cut.position}`;
  return sql`(${e}.position <= ${cut.position} and not ${open})`;
}

/** SQL over an event: whether it came after the cut. */
export function afterCut(cut: Cut, event = "e"): Statement {
  const e = raw(event);
  const open = leftOutOf(cut, event);
  if (open === undefined) return sql`${e}.position > ${cut.position}`;
  return sql`(${e}.position > ${cut.position} or ${open})`;
}

function leftOutOf({ leftOut, before, epoch }: Cut, event: string): Statement | undefined {
  if (leftOut.length === 0 && before === undefined) return undefined;
  const e = raw(event);
  const from = before === undefined ? sql`` : sql`or ${e}.transaction_id >= ${before}::xid8`;
  return sql`(${e}.epoch = ${epoch} and (${e}.transaction_id = any (${leftOut}::xid8[]) ${from}))`;
}
