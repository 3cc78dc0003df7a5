import type { DataSource, QueryRunner } from "typeorm";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import { type OptionsOf, value } from "../core/option-checker.js";
import { amount } from "../core/option-kinds.js";
import type { PgClient } from "../core/pg-client.js";
import { asOwner } from "../core/rights.js";
import { Session, withOwnSession } from "../core/session.js";

/** Waiting longer for a lock would make the application's writers wait behind us. */
const lockTimeoutMs = 250;

export interface SetUpOptions {
  /** Runs on this query runner, inside its transaction: for a migration. (Default: a connection of its own) */
  readonly queryRunner?: QueryRunner | undefined;
  /**
   * How long to try, for each table, for a moment without long transactions on it, in milliseconds. (Default: 60 000)
   */
  readonly lockTimeoutMs?: number | undefined;
}

export const setUpOptions = {
  queryRunner: value<QueryRunner>(
    "a query runner of TypeORM, as a migration gets it",
    (given) => typeof (given as Partial<QueryRunner> | null)?.connect === "function",
  ),
  lockTimeoutMs: amount("milliseconds").byDefault(60_000),
} satisfies OptionsOf<SetUpOptions>;

/** The database is busy, or we met another session's lock: nothing was done, and it may go better next time. */
const worthAnotherTry: ReadonlySet<string | undefined> = new Set(["55P03", "40P01"]);

/**
 * Runs work that changes tables, each piece a transaction that gives up and tries again rather than hold writers up.
 */
export type SetUp = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Work on tables: on a connection of its own, each piece in a transaction; or, where a migration gives its query
 * runner, on that one, inside the migration's transaction if it has one.
 * Throws NOT_OWNER, INSTALL_LOCK_TIMEOUT.
 */
export async function withSetUp<T>(
  dataSource: DataSource,
  {
    queryRunner,
    lockTimeoutMs: triedForMs,
  }: { readonly queryRunner?: QueryRunner | undefined; readonly lockTimeoutMs: number },
  work: (session: Session, setUp: SetUp) => Promise<T>,
): Promise<T> {
  const run = (session: Session) => work(session, retried(session, triedForMs));
  if (queryRunner === undefined) return asOwner(dataSource, withOwnSession(dataSource, run));
  const { isTransactionActive: isNested } = queryRunner;
  const session = new Session((await queryRunner.connect()) as PgClient, { isNested });
  return asOwner(dataSource, run(session));
}

function retried(session: Session, triedForMs: number): SetUp {
  return async (work) => {
    const deadline = Date.now() + triedForMs;
    for (;;) {
      try {
        const guarded = async () => {
          await session.run(
            `set local lock_timeout = ${lockTimeoutMs}; select pg_advisory_xact_lock(hashtextextended('typeorm-chronicle install', 0))`,
          );
          return work();
        };
        return await session.transaction(guarded);
      } catch (error) {
        if (stateOf(error) === "42501") {
          throw new EventLogError(
            "NOT_OWNER",
            "This role may not set up the log: it must own the tracked tables and may create schemas.",
            { cause: error },
          );
        }
        if (!worthAnotherTry.has(stateOf(error))) throw error;
        if (Date.now() > deadline) {
          throw new EventLogError("INSTALL_LOCK_TIMEOUT", `A table was never free for a moment in ${triedForMs} ms.`, {
            cause: error,
          });
        }
        await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 200));
      }
    }
  };
}
