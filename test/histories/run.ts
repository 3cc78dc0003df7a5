import type { EntityManager, QueryRunner } from "typeorm";
import { withRequestContext } from "../../src/index.js";
import { releaseTwo } from "./entities.js";
import type { History, Step, Transaction, Who } from "./history.js";
import { type Hand, type Write } from "./paths/path.js";
import { paths } from "./paths/index.js";
import { releaseTwoMigration } from "./set-up.js";
import { badgeVersions } from "./versions.js";
import type { World } from "./world.js";

/** What was done under one mark, which every event of it carries in its metadata. */
export interface Work {
  readonly mark: number;
  readonly who: Who;
  /** Whether it must have left nothing. */
  takenBack: boolean;
}

/** Thrown on purpose, to take work back. */
class TakenBack extends Error {}

/** Runs a history on an application, step by step, and notes what each piece of work may have left. */
export class Run {
  readonly works: Work[] = [];
  written = 0;
  failed = 0;
  takenBack = 0;

  constructor(private readonly world: World) {}

  async all(history: History): Promise<void> {
    for (const step of history) await this.#step(step);
  }

  async #step(step: Step): Promise<void> {
    const { world } = this;
    switch (step.kind) {
      case "write":
        return this.#alone(step.write, step.who);
      case "transaction":
        return this.#transaction(step);
      case "abreast":
        await Promise.all(step.transactions.map((transaction) => this.#transaction(transaction)));
        return undefined;
      case "moment":
        return world.note();
      case "release":
        return world.release === 1 ? release(world) : undefined;
      case "replay":
        await world.log.replay();
        return undefined;
      case "rewind":
        return world.rewind(step.to);
    }
  }

  /** A write outside transactions, or in the one that TypeORM opens for it. */
  async #alone(write: Write, who: Who): Promise<void> {
    await this.#work(who, async () => this.#write(write, this.world.dataSource.manager)).catch(expected);
  }

  async #transaction(transaction: Transaction): Promise<void> {
    const runner = this.world.dataSource.createQueryRunner();
    try {
      if (transaction.retried) await this.#attempt(runner, { ...transaction, keep: false });
      await this.#attempt(runner, transaction);
    } finally {
      await runner.release();
    }
  }

  async #attempt(runner: QueryRunner, { who, parts, keep, raw, isolation }: Transaction): Promise<void> {
    const begin = () => (raw ? runner.query(`begin isolation level ${isolation}`) : runner.startTransaction(isolation));
    const commit = () => (raw ? runner.query("commit") : runner.commitTransaction());
    const rollback = () => (raw ? runner.query("rollback") : runner.rollbackTransaction());
    const inside: Work[] = [];
    await this.#work(who, async (work) => {
      inside.push(work);
      await begin();
      try {
        for (const part of parts) {
          if ("path" in part) await this.#write(part, runner.manager);
          else await this.#savepoint(runner, part.writes, { keep: part.keep, raw, who, inside });
        }
        if (!keep) throw new TakenBack();
        await commit();
      } catch (error) {
        this.takenBack++;
        for (const taken of inside) taken.takenBack = true;
        if (runner.isTransactionActive || raw) await rollback();
        expected(error);
      }
    });
  }

  async #savepoint(
    runner: QueryRunner,
    writes: readonly Write[],
    { keep, raw, who, inside }: { keep: boolean; raw: boolean; who: Who; inside: Work[] },
  ): Promise<void> {
    const [begin, commit, rollback] = raw
      ? ["savepoint mine", "release savepoint mine", "rollback to savepoint mine"].map(
          (text) => () => runner.query(text),
        )
      : [() => runner.startTransaction(), () => runner.commitTransaction(), () => runner.rollbackTransaction()];
    await this.#work(who, async (work) => {
      inside.push(work);
      await begin?.();
      try {
        for (const write of writes) await this.#write(write, runner.manager);
        if (!keep) throw new TakenBack();
        await commit?.();
      } catch (error) {
        work.takenBack = true;
        this.takenBack++;
        expected(error);
        await rollback?.();
      }
    });
  }

  async #work(who: Who, work: (work: Work) => Promise<void>): Promise<void> {
    const noted: Work = { mark: this.works.length, who, takenBack: false };
    this.works.push(noted);
    const { actor, tenant, metadata } = who;
    await withRequestContext({ actor, tenant, metadata: { ...metadata, mark: noted.mark } }, () => work(noted));
  }

  async #write(write: Write, manager: EntityManager): Promise<void> {
    const hand: Hand = { manager, release: this.world.release };
    const path = paths[write.path];
    if (path === undefined) throw new Error(`There is no path "${write.path}".`);
    this.written++;
    try {
      await path(hand, write);
    } catch (error) {
      this.failed++;
      throw error;
    }
  }
}

async function release(world: World): Promise<void> {
  await world.db.query(releaseTwoMigration);
  await world.deploy(2, { entities: releaseTwo, replay: badgeVersions });
}

/**
 * What a write may fail with: the database's own refusals (data and integrity exceptions, serialization failures, deadlocks).
 * Subscriber capture refuses what it cannot record. Anything else is a fault of the library or of the history, and is thrown on.
 */
function expected(error: unknown): void {
  if (error instanceof TakenBack) return;
  const state = (error as { code?: string }).code ?? "";
  const message = error instanceof Error ? error.message : "";
  const byTypeORM = /^(?:Cannot |Could not find any entity|.*ancestor)/.test(message);
  if (!/^(?:22|23|40|21000|54000|25P02|WRITE_NOT_CAPTURED$)/.test(state) && !byTypeORM) throw error;
}
