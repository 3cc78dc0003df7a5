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
 * Runs `work` as the only replay on the log, with a session of its own in whose transaction the lock is held: it is
 * gone with that session, whatever ends it, and works behind a transaction pooler. Throws REPLAY_IN_PROGRESS at once.
 */
export function withReplayLock<T>(dataSource: DataSource, work: (gate: Session) => Promise<T>): Promise<T> {
  const { options } = attachmentOf(dataSource);
  return withOwnSession(dataSource, (gate) =>
    gate.transaction(async () => {
      await gate.run("set local idle_in_transaction_session_timeout = 0");
      const row = await gate.row(
        sql`select pg_try_advisory_xact_lock(hashtextextended(current_database() || '.' || ${options.schema} || '.replay', 0)) as locked`,
      );
      if (row?.locked !== "t") throw new EventLogError("REPLAY_IN_PROGRESS", "Another replay is running on this log.");
      return work(gate);
    }),
  );
}

/**
 * Locks the tables against writers, in the transaction that is open on `session`, without ever making a writer fail or
 * deadlock: through the gate, where a session that holds no lock that a writer wants waits until no tracked transaction
 * is open, then the tables at once or not at all. Tables that foreign keys tie to them are locked too, so that nothing
 * that replay does ever waits for a row.
 *
 * The gate stays closed until the replay has ended: a transaction that came through would take its snapshot while it
 * waits for a table, and at REPEATABLE READ fail on rows that replay changed meanwhile. At the gate it has none yet.
 * Statements outside transactions that only read go on.
 * Throws REPLAY_LOCK_TIMEOUT in the end.
 */
export async function lockTables(
  session: Session,
  dataSource: DataSource,
  { gate, tables, timeoutMs, stopIfAborted }: LockOptions,
): Promise<void> {
  const { schema } = attachmentOf(dataSource);
  const keys = await session.row(sql`select lock_arguments as arguments from ${raw(schema)}.installation`);
  const names = [...tables.map(({ sqlName }) => sqlName), ...(await tiedTables(session, tables))];
  const deadline = Date.now() + timeoutMs;
  for (let pause = 20; ; pause = Math.min(pause * 2, 400)) {
    stopIfAborted();
    if (await tryAll(session, gate, schema, names, keys?.arguments ?? "0")) return;
    if (Date.now() + pause > deadline) {
      throw new EventLogError(
        "REPLAY_LOCK_TIMEOUT",
        `The tables were never free of writers for a moment in ${timeoutMs} ms.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
  }
}

interface LockOptions {
  readonly gate: Session;
  readonly tables: readonly FoldTable[];
  readonly timeoutMs: number;
  readonly stopIfAborted: () => void;
}

/** Other tables whose rows refer to the tables', at any remove, or that the tables' rows refer to. */
async function tiedTables(session: Session, tables: readonly FoldTable[]): Promise<string[]> {
  const rows = await session.rows(sql`
    with recursive own as (
      select name::regclass::oid as oid from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    ),
    referring (oid) as (
      select oid from own
      union
      select c.conrelid from referring r join pg_constraint c on c.contype = 'f' and c.confrelid = r.oid
    )
    select t.oid::regclass as name
    from (select oid from referring union select c.confrelid from own o join pg_constraint c on c.contype = 'f' and c.conrelid = o.oid) t
    where t.oid not in (select oid from own) and has_table_privilege(t.oid, 'update')`);
  return rows.map(({ name }) => name ?? "");
}

async function tryAll(
  session: Session,
  gate: Session,
  schema: string,
  names: readonly string[],
  keys: string,
): Promise<boolean> {
  await session.run("savepoint locks");
  await gate.run("savepoint gate");
  try {
    await gate.run(`set local lock_timeout = ${gateTimeoutMs}; lock table ${schema}.gate in access exclusive mode`);
    if (names.length > 0) await session.run(`lock table ${names.join(", ")} in share row exclusive mode nowait`);
    const row = await session.row({ text: `select pg_try_advisory_xact_lock(${keys}) as locked`, values: [] });
    if (row?.locked === "t") return true;
  } catch (error) {
    if (stateOf(error) !== "55P03") throw error;
  }
  // Ours first, so that nobody passes the gate to wait for them.
  await session.run("rollback to savepoint locks; release savepoint locks");
  await gate.run("rollback to savepoint gate; release savepoint gate");
  return false;
}
