import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/**
 * Until the transaction ends: "shared" for an erasure; "exclusive" for what carries recorded values on, so that none that is
 * being erased comes back.
 */
export async function lockErasures(
  session: Session,
  dataSource: DataSource,
  mode: "shared" | "exclusive",
): Promise<void> {
  const { options } = attachmentOf(dataSource);
  const lock = mode === "shared" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock";
  await session.rows(
    sql`select ${raw(lock)}(hashtextextended(current_database() || '.' || ${options.schema} || '.erasures', 0))`,
  );
}
