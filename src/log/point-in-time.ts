import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { numberOf, positionOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/** A moment in the log: a time, a position (inclusive), or a bookmark. Text is ISO 8601 with an offset. */
export type PointInTime = Date | string | bigint | { readonly bookmark: string };

/**
 * What a point came down to: events up to `position`, except those of the transactions in `leftOut`, which also wrote
 * above it. So a transaction is in it whole or not at all, and no effect is in it without its cause.
 */
export interface Cut {
  readonly position: bigint;
  /** Transaction ids, as text. */
  readonly leftOut: readonly string[];
}

/** How long a point near now waits for the writers that were open when it was asked for. */
const settleMs = 10_000;

/** Everything that is committed. */
export async function endOfLog(session: Session, dataSource: DataSource): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`select max(position) as position from ${raw(schema)}.event`);
  return { position: positionOf(row, "position"), leftOut: [] };
}

/**
 * The cut of a point in time. Throws POINT_IN_TIME_UNKNOWN, with the way out, for what is no point or lies outside the log,
 * and POINT_IN_TIME_AMBIGUOUS where the clock went back.
 */
export async function resolvePoint(session: Session, dataSource: DataSource, point: PointInTime): Promise<Cut> {
  if (typeof point === "bigint") return atPosition(session, dataSource, point);
  if (point instanceof Date) return atTime(session, dataSource, point);
  if (typeof point === "string") return atTime(session, dataSource, parseTime(point));
  if (typeof point === "object" && point !== null && typeof point.bookmark === "string")
    return atBookmark(session, dataSource, point.bookmark);
  throw unknown(`${point === null ? "null" : typeof point} is no point in time.`);
}

async function atPosition(session: Session, dataSource: DataSource, position: bigint): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`select min(position) as first, max(position) as last from ${raw(schema)}.event`);
  if (row?.first == null) throw unknown("The log holds no event yet.");
  if (position < BigInt(row.first)) throw unknown(`Position ${position} is before the log's first, ${row.first}.`);
  if (position > positionOf(row, "last")) throw unknown(`Position ${position} is after the log's last, ${row.last}.`);
  return wholeTransactions(session, schema, position);
}

async function atTime(session: Session, dataSource: DataSource, time: Date): Promise<Cut> {
  const { schema, options } = attachmentOf(dataSource);
  const milliseconds = time.getTime();
  if (Number.isNaN(milliseconds)) throw unknown("The Date is invalid.");
  await settled(session);
  const end = sql`to_timestamp(${milliseconds}::double precision / 1000) + interval '1 millisecond'`;
  const row = await session.row(sql`
    select (select max(position) from ${raw(schema)}.event where occurred_at < ${end}) as position,
      clock_timestamp() + make_interval(secs => ${options.clockSkewSeconds}::double precision) < to_timestamp(${milliseconds}::double precision / 1000) as future`);
  if (row?.future === "t") throw unknown(`${time.toISOString()} is in the future.`);
  if (row?.position == null) throw unknown(`${time.toISOString()} is before the log began.`);
  const position = BigInt(row.position);
  const later = await session.rows(sql`
    select position from ${raw(schema)}.event
    where position <= ${position} and occurred_at > ${end} + make_interval(secs => ${options.clockSkewSeconds}::double precision)
    order by position limit 20`);
  if (later.length > 0) {
    const positions = later.map((event) => positionOf(event, "position"));
    throw new EventLogError(
      "POINT_IN_TIME_AMBIGUOUS",
      `The database's clock went back around ${time.toISOString()}: events at positions ${positions.join(", ")} are stamped later than events behind them.`,
      {
        details: { positions },
      },
    );
  }
  return wholeTransactions(session, schema, position);
}

async function atBookmark(session: Session, dataSource: DataSource, name: string): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`
    select b.position, (select coalesce(jsonb_agg(x::text), '[]') from pg_snapshot_xip(b.snapshot) x) as "leftOut"
    from ${raw(schema)}.bookmark b where b.name = ${name}`);
  if (row === undefined) throw unknown(`There is no bookmark "${name}".`);
  return { position: positionOf(row, "position"), leftOut: JSON.parse(row.leftOut ?? "[]") as string[] };
}

/** A transaction that wrote on both sides of the position is left out, whole. */
async function wholeTransactions(session: Session, schema: string, position: bigint): Promise<Cut> {
  const rows = await session.rows(sql`
    select distinct later.transaction_id as id
    from ${raw(schema)}.event later
    where later.position > ${position}
    and exists (
      select from ${raw(schema)}.event earlier
      where earlier.position <= ${position} and earlier.transaction_id = later.transaction_id and earlier.epoch = later.epoch
    )`);
  return { position, leftOut: rows.map(({ id }) => id ?? "") };
}

/** The position up to which a cut really goes: its last event that is not left out. */
export async function effectivePosition(session: Session, schema: string, cut: Cut): Promise<bigint> {
  if (cut.leftOut.length === 0) return cut.position;
  const row = await session.row(sql`
    select max(position) as position from ${raw(schema)}.event
    where position <= ${cut.position} and transaction_id <> all (${cut.leftOut}::xid8[])`);
  return positionOf(row, "position");
}

/** Waits until every transaction that is open now has ended: one of them may still commit an event stamped before the point. */
async function settled(session: Session): Promise<void> {
  const open = await session.row(
    sql`select coalesce(jsonb_agg(x::text), '[]') as ids from pg_snapshot_xip(pg_current_snapshot()) x`,
  );
  const ids = JSON.parse(open?.ids ?? "[]") as string[];
  const deadline = Date.now() + settleMs;
  while (ids.length > 0) {
    const left = await session.row(
      sql`select count(*) as open from unnest(${ids}::xid8[]) x where not pg_visible_in_snapshot(x, pg_current_snapshot())`,
    );
    if (numberOf(left, "open") === 0) return;
    if (Date.now() > deadline) {
      throw unknown(
        "Transactions that were open before this point have not ended, so what belongs to it is not settled yet.",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const iso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/;

function parseTime(text: string): Date {
  if (/^\d+$/.test(text))
    throw unknown(`"${text}" may be a position or a year.`, `Pass a position as a bigint: ${text}n.`);
  if (!iso.test(text)) {
    throw unknown(
      `"${text}" is no ISO 8601 time with an offset.`,
      'Write it like "2026-05-01T12:00:00Z" or "2026-05-01T14:00:00+02:00".',
    );
  }
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw unknown(`"${text}" is no time that exists.`);
  return time;
}

function unknown(message: string, hint?: string): EventLogError {
  return new EventLogError("POINT_IN_TIME_UNKNOWN", message, hint === undefined ? {} : { hint });
}
