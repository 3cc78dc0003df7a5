import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { show, value } from "../core/option-checker.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { type Cursor, cursorOf, cursorText } from "./cursor.js";
import { wasDropped } from "./known-since.js";
import { mostPosition } from "./last-position.js";
import { keptFrom } from "./partitions.js";
import { nothing, type Snapshot, snapshotOf } from "./snapshot.js";
import type { Start } from "./tail-reader.js";

/** The cursor or the position of an event, or a bookmark. */
export type After = string | bigint | { readonly bookmark: string };

export const afterOption = value<After>("an event's cursor, a position as a bigint, or { bookmark }", (given) => {
  if (typeof given === "string") return cursorOf(given) !== undefined;
  if (typeof given === "bigint") return given >= 0n && given <= mostPosition;
  return typeof (given as { bookmark?: unknown } | null)?.bookmark === "string";
});

/** Where a tail begins. Throws POINT_IN_TIME_UNKNOWN for what this log does not know. */
export async function startOf(session: Session, dataSource: DataSource, after: After | undefined): Promise<Start> {
  const { schema } = attachmentOf(dataSource);
  if (after === 0n) return { epoch: 0, given: nothing };
  const cursor = typeof after === "string" ? cursorOf(after) : undefined;
  const position = typeof after === "bigint" ? after : cursor?.position;
  if (position === undefined) return afterSnapshot(session, schema, after as { readonly bookmark: string } | undefined);
  const place = await placeOf(session, schema, position);
  const start = cursor === undefined ? afterPosition(place, dataSource) : afterCursor(place, cursor);
  if (start.epoch === place.epoch && start.given.end > place.now.end)
    throw unknown(
      `Transaction ${start.given.end - 1n} of ${show(after)} has not begun on this server: it is of another log, or ` +
        "install() has not run since this one was restored.",
    );
  return start;
}

/** The event at a position, if it is there, and the log around it. */
interface Place {
  readonly position: bigint;
  readonly event: { readonly epoch: number; readonly transaction: bigint } | undefined;
  readonly epoch: number;
  readonly now: Snapshot;
  readonly keptFrom: bigint;
}

async function placeOf(session: Session, schema: string, position: bigint): Promise<Place> {
  const s = raw(schema);
  const row = await session.row(sql`
    select i.epoch, pg_current_snapshot() as now, coalesce(i.kept_from, 0) as kept_from,
      e.epoch as of_event, e.transaction_id as transaction
    from ${s}.installation i left join ${s}.event e on e.position = ${position}`);
  const event =
    row?.of_event == null ? undefined : { epoch: Number(row.of_event), transaction: BigInt(row.transaction ?? 0) };
  const now = snapshotOf(row?.now ?? "");
  return { position, event, epoch: numberOf(row, "epoch"), now, keptFrom: BigInt(row?.kept_from ?? 0) };
}

function afterCursor(place: Place, cursor: Cursor): Start {
  const { event, epoch, position } = place;
  if (cursor.epoch > epoch)
    throw unknown(`The cursor is of epoch ${cursor.epoch} and the log in epoch ${epoch}: it is of another log.`);
  if (event === undefined) throw missing(place);
  if (event.epoch !== cursor.epoch || event.transaction !== cursor.transaction)
    throw unknown(
      `Position ${position} is not of the cursor's transaction ${cursor.transaction}: the cursor is of another log.`,
    );
  return cursor;
}

/**
 * A position does not say which transactions were given. Older ones count as given, unless they are open now.
 */
function afterPosition(place: Place, { logger }: DataSource): Start {
  const { event, epoch, now, position } = place;
  if (event === undefined) throw missing(place);
  const { transaction } = event;
  const open = event.epoch === epoch ? now.open.filter((id) => id < transaction) : [];
  const start = { epoch: event.epoch, given: { end: transaction, open }, transaction, position };
  if (open.length > 0) {
    logger.log(
      "warn",
      `tail: transactions before position ${position} are open (${open.join(", ")}), so the position does not say ` +
        `what was given. The tail goes on after "${cursorText(start)}". Store event.cursor instead of the position.`,
    );
  }
  return start;
}

async function afterSnapshot(
  session: Session,
  schema: string,
  after: { readonly bookmark: string } | undefined,
): Promise<Start> {
  const row = await session.row(
    after === undefined
      ? sql`select epoch, pg_current_snapshot() as snapshot from ${raw(schema)}.installation`
      : sql`select epoch, snapshot, position from ${raw(schema)}.bookmark where name = ${after.bookmark}`,
  );
  if (row === undefined) throw new EventLogError("POINT_IN_TIME_UNKNOWN", `There is no bookmark "${after?.bookmark}".`);
  const kept = await keptFrom(session, schema);
  if (kept !== undefined && row.position != null && BigInt(row.position) < kept - 1n) throw wasDropped(kept);
  return { epoch: numberOf(row, "epoch"), given: snapshotOf(row.snapshot ?? "") };
}

function missing({ position, keptFrom: kept }: Place): EventLogError {
  return position < kept ? wasDropped(kept) : unknown(`There is no event at position ${position}.`);
}

function unknown(message: string): EventLogError {
  return new EventLogError("POINT_IN_TIME_UNKNOWN", message, {
    hint: "Pass the cursor of the last event that a tail of this log gave, 0n for the log's beginning, or a bookmark.",
  });
}
