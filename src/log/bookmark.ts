import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import { asOwner } from "../core/rights.js";
import { positionOf, type Session, withOwnSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { lastPosition, newestPosition } from "./last-position.js";

export interface Bookmark {
  readonly name: string;
  readonly position: bigint;
}

/**
 * Names this moment, exact to the commit: what is committed now is in it, what is open is not.
 * Taken on a connection of its own, so a transaction that is open around the call is left out.
 * Throws BOOKMARK_EXISTS, NOT_OWNER.
 */
export async function bookmark(dataSource: DataSource, name: string): Promise<Bookmark> {
  const { schema } = attachmentOf(dataSource);
  if (typeof name !== "string" || name.trim() === "" || name.includes("\0")) {
    throw new EventLogError(
      "OPTIONS_INVALID",
      "Expected the bookmark's name to be a string that is not empty and holds no NUL.",
      {
        hint: 'Call it like `bookmark("before import")`.',
      },
    );
  }
  return asOwner(
    dataSource,
    withOwnSession(dataSource, (session) => nameSnapshot(session, schema, name)),
  );
}

/** Names the snapshot that a session's next statement takes. */
export async function nameSnapshot(session: Session, schema: string, name: string): Promise<Bookmark> {
  try {
    // One statement, so one snapshot: the position is the last that the stored snapshot sees.
    const row = await session.row(sql`
      insert into ${raw(schema)}.bookmark (name, position, snapshot)
      select ${name}, coalesce(greatest(${lastPosition(schema)}, ${newestPosition(schema)}), 0), pg_current_snapshot()
      returning position`);
    return { name, position: positionOf(row, "position") };
  } catch (error) {
    if (stateOf(error) !== "23505") throw error;
    throw new EventLogError("BOOKMARK_EXISTS", `There is a bookmark "${name}" already.`, { cause: error });
  }
}
