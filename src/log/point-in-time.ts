import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { numberOf, positionOf, type Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import { type Cut, inCut } from "./cut.js";
import { lastPosition, mostPosition, newestPosition } from "./last-position.js";
import { settled } from "./settled.js";
import { snapshotOf } from "./snapshot.js";

/** A moment in the log: a time, a position (inclusive), or a bookmark. Text is ISO 8601 with an offset. */
export type PointInTime = Date | string | bigint | { readonly bookmark: string };

/** Everything that is committed. */
export async function endOfLog(session: Session, dataSource: DataSource): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`select ${newestPosition(schema)} as position`);
  return { position: positionOf(row, "position"), leftOut: [], epoch: 0 };
}

/**
 * Everything that is committed now, as a cut that later snapshots read in the same way: what is open now stays left
 * out.
 */
export async function committedNow(session: Session, dataSource: DataSource): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`
    select ${newestPosition(schema)} as position, (select epoch from ${raw(schema)}.installation) as epoch,
      pg_current_snapshot() as snapshot`);
  return { position: positionOf(row, "position"), ...openIn(row?.snapshot ?? ""), epoch: numberOf(row, "epoch") };
}

/**
 * The cut of a point in time. Throws POINT_IN_TIME_UNKNOWN, with the way out, for what is no point or lies outside the
 * log, and POINT_IN_TIME_AMBIGUOUS where the clock went back.
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
  if (position > mostPosition) throw unknown(`Position ${position} is after the log's last.`);
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`
    select min(position) as first, greatest(${lastPosition(schema)}, ${newestPosition(schema)}) as last,
      (select occurred_at from ${raw(schema)}.event where position <= ${position} order by position desc limit 1) as time
    from ${raw(schema)}.event`);
  if (row?.first == null) throw unknown("The log holds no event yet.");
  if (position < BigInt(row.first)) throw unknown(`Position ${position} is before the log's first, ${row.first}.`);
  if (position > positionOf(row, "last")) throw unknown(`Position ${position} is after the log's last, ${row.last}.`);
  await settled(session, dataSource, row.time ?? "infinity");
  const cut = await session.row(sql`
    select l.epoch, to_jsonb(${raw(schema)}.torn(${position}, l.epoch, l.transaction_id)) as "leftOut"
    from (select * from ${raw(schema)}.event where position <= ${position} order by position desc limit 1) l`);
  return { position, leftOut: listOf(cut?.leftOut), epoch: numberOf(cut, "epoch") };
}

async function atTime(session: Session, dataSource: DataSource, time: Date): Promise<Cut> {
  const { schema, options } = attachmentOf(dataSource);
  const milliseconds = time.getTime();
  if (Number.isNaN(milliseconds)) throw unknown("The Date is invalid.");
  const skew = sql`make_interval(secs => ${options.clockSkewSeconds}::double precision)`;
  const row = await session.row(sql`
    select t.end, t.end > clock_timestamp() + ${skew} + interval '1 millisecond' as future
    from (select to_timestamp(${milliseconds}::double precision / 1000) + interval '1 millisecond' as end) t`);
  if (row?.future === "t") throw unknown(`${time.toISOString()} is in the future.`);
  const end = sql`${row?.end}::timestamptz`;
  await settled(session, dataSource, row?.end ?? "");
  const cut = await session.row(sql`
    select a.last as position, to_jsonb(a.later) as later, l.epoch, to_jsonb(${raw(schema)}.torn(a.last, l.epoch, l.transaction_id)) as "leftOut"
    from ${raw(schema)}.around_time(coalesce(${raw(schema)}.about_time(${end}), 0), ${end}, ${end} + ${skew}) a
    cross join lateral (select * from ${raw(schema)}.event where position <= a.last order by position desc limit 1) l`);
  if (cut === undefined) throw unknown(`${time.toISOString()} is before the log began.`);
  const positions = listOf(cut.later).map(BigInt);
  if (positions.length > 0) {
    throw new EventLogError(
      "POINT_IN_TIME_AMBIGUOUS",
      `The database's clock went back around ${time.toISOString()}: events at positions ${positions.join(", ")} are stamped later than events behind them.`,
      { details: { positions } },
    );
  }
  const last = positionOf(cut, "position");
  const changed = await session.row(
    sql`select max(position) as position from ${raw(schema)}.schema_change where recorded_at < ${end}`,
  );
  // What an install found before the time counts, also if nothing was written since.
  const position = last > positionOf(changed, "position") ? last : positionOf(changed, "position");
  const leftOut = new Set([...listOf(cut.leftOut), ...(await committedAfter(session, schema, position, end))]);
  return { position, leftOut: [...leftOut], epoch: numberOf(cut, "epoch") };
}

/**
 * Where the server keeps commit times, they cut exactly: transactions that committed later are left out, also those
 * whose last event came before. Reads each transaction up to the position once.
 */
async function committedAfter(session: Session, schema: string, position: bigint, end: Statement): Promise<string[]> {
  const row = await session.row(sql`select current_setting('track_commit_timestamp') as kept`);
  if (row?.kept !== "on") return [];
  // An xid has 32 bits: for older transactions the server knows no commit time, and they committed long ago.
  const rows = await session.rows(sql`
    select transaction_id as id from (
      select distinct transaction_id from ${raw(schema)}.event
      where position <= ${position} and epoch = (select epoch from ${raw(schema)}.installation)
      and transaction_id::text::bigint > pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 2000000000
    ) t where pg_xact_commit_timestamp(transaction_id::xid) >= ${end}`);
  return rows.map(({ id }) => id ?? "");
}

async function atBookmark(session: Session, dataSource: DataSource, name: string): Promise<Cut> {
  const { schema } = attachmentOf(dataSource);
  const row = await session.row(sql`
    select b.position, b.epoch, b.snapshot from ${raw(schema)}.bookmark b where b.name = ${name}`);
  if (row === undefined) throw unknown(`There is no bookmark "${name}".`);
  return { position: positionOf(row, "position"), ...openIn(row.snapshot ?? ""), epoch: numberOf(row, "epoch") };
}

/**
 * The transactions that were open in a snapshot, "xmin:xmax:xip,xip": those listed, and every one from xmax on, which
 * is one past the last that had ended, so some of them had begun and drawn positions.
 */
function openIn(snapshot: string): Pick<Cut, "leftOut" | "before"> {
  const { end, open } = snapshotOf(snapshot);
  return { leftOut: open.map(String), before: String(end) };
}

/** The position up to which a cut really goes: its last event that is not left out. */
export async function effectivePosition(session: Session, schema: string, cut: Cut): Promise<bigint> {
  const row = await session.row(
    sql`select max(e.position) as position from ${raw(schema)}.event e where ${inCut(cut)}`,
  );
  return positionOf(row, "position");
}

function listOf(json: string | null | undefined): string[] {
  return (JSON.parse(json ?? "[]") as (string | number)[]).map(String);
}

const iso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/;

/** Text as a time. Throws POINT_IN_TIME_UNKNOWN. */
export function parseTime(text: string): Date {
  if (/^\d+$/.test(text))
    throw unknown(`"${text}" may be a position or a year.`, `Pass a position as a bigint: ${text}n.`);
  if (!iso.test(text)) {
    throw unknown(
      `"${text}" is no ISO 8601 time with an offset.`,
      'Write it like "2026-05-01T12:00:00Z" or "2026-05-01T14:00:00+02:00".',
    );
  }
  const time = new Date(text);
  // JavaScript takes 30 February for 2 March.
  const [day = "", month = "", year = ""] = text.slice(0, 10).split("-").toReversed();
  const isADay = Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number.isNaN(time.getTime()) || !isADay) throw unknown(`"${text}" is no time that exists.`);
  return time;
}

function unknown(message: string, hint?: string): EventLogError {
  return new EventLogError("POINT_IN_TIME_UNKNOWN", message, hint === undefined ? {} : { hint });
}
