import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { type Session, withOwnSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import type { FoldTable } from "./fold-table.js";

/** How long transactions that begin may wait behind us, at most, per attempt. */
const gateTimeoutMs = 300;

/**
 * Locks the tables against writers, in the transaction that is open on `session`, without ever making a writer fail or
 * deadlock: through the gate, where a session that holds nothing else waits until no tracked transaction is open, then the
 * tables at once or not at all. Readers go on.
 * Throws REPLAY_IN_PROGRESS at once, REPLAY_LOCK_TIMEOUT in the end.
 */
export async function lockTables(
  session: Session,
  dataSource: DataSource,
  tables: readonly FoldTable[],
  timeoutMs: number,
  aborted: () => void,
): Promise<void> {
  const { schema, options } = attachmentOf(dataSource);
  const first = await session.row(
    sql`select pg_try_advisory_xact_lock(hashtextextended(current_database() || '.' || ${options.schema} || '.replay', 0)) as locked`,
  );
  if (first?.locked !== "t") throw new EventLogError("REPLAY_IN_PROGRESS", "Another replay is running on this log.");
  const keys = await session.row(sql`select lock_arguments as arguments from ${raw(schema)}.installation`);
  const deadline = Date.now() + timeoutMs;
  await withOwnSession(dataSource, async (gate) => {
    for (let pause = 20; ; pause = Math.min(pause * 2, 400)) {
      aborted();
      if (await tryAll(session, gate, schema, tables, keys?.arguments ?? "0")) return;
      if (Date.now() + pause > deadline) {
        throw new EventLogError(
          "REPLAY_LOCK_TIMEOUT",
          `The tables were never free of writers for a moment in ${timeoutMs} ms.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
    }
  });
}

async function tryAll(
  session: Session,
  gate: Session,
  schema: string,
  tables: readonly FoldTable[],
  keys: string,
): Promise<boolean> {
  await session.run("savepoint locks");
  try {
    await gate.run(
      `start transaction; set local lock_timeout = ${gateTimeoutMs}; lock table ${schema}.gate in access exclusive mode`,
    );
    await session.run(
      `lock table ${tables.map(({ sqlName }) => sqlName).join(", ")} in share row exclusive mode nowait`,
    );
    const row = await session.row({ text: `select pg_try_advisory_xact_lock(${keys}) as locked`, values: [] });
    if (row?.locked === "t") {
      await session.run("release savepoint locks");
      return true;
    }
  } catch (error) {
    if (stateOf(error) !== "55P03") throw error;
  } finally {
    await gate.run("rollback");
  }
  await session.run("rollback to savepoint locks");
  return false;
}
