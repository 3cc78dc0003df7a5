import type { DataSource } from "typeorm";
import { Account, accountValues } from "./account.js";

/** Something an application does, on a DataSource that has 2,000 accounts with ids from 1. */
export interface Operation {
  readonly name: string;
  /** How often one run does it, so that a run lasts long enough to be timed. */
  readonly times: number;
  /** What performance.md asks for: tracked against plain. */
  readonly aim: string;
  /** `turn` counts up, so that every write changes something. */
  readonly run: (dataSource: DataSource, turn: number) => Promise<unknown>;
}

/** Accounts that are there before the first operation. */
export const accountsAtStart = 2_000;

export const single: readonly Operation[] = [
  {
    name: "save 1",
    times: 60,
    aim: "≤ 1.10",
    run: (dataSource, turn) => dataSource.getRepository(Account).save(accountValues(turn)),
  },
  {
    name: "insert 1",
    times: 80,
    aim: "",
    run: (dataSource, turn) => dataSource.getRepository(Account).insert(accountValues(turn)),
  },
  {
    name: "update 1 by criteria",
    times: 80,
    aim: "",
    run: (dataSource, turn) =>
      dataSource.getRepository(Account).update({ id: 1 + (turn % accountsAtStart) }, { city: `Paris ${turn}` }),
  },
  {
    name: "transaction of 5 writes",
    times: 30,
    aim: "≤ 1.0",
    run: (dataSource, turn) =>
      dataSource.transaction(async (manager) => {
        const accounts = manager.getRepository(Account);
        const { identifiers } = await accounts.insert(accountValues(turn));
        await accounts.insert(accountValues(turn + 1));
        await accounts.update({ id: 1 + (turn % accountsAtStart) }, { city: `Rome ${turn}` });
        await accounts.increment({ id: 1 + (turn % accountsAtStart) }, "points", 1);
        await accounts.delete(identifiers[0] as { id: number });
      }),
  },
  {
    name: "save 1000",
    times: 1,
    aim: "≤ 1.25",
    run: (dataSource, turn) =>
      dataSource
        .getRepository(Account)
        .save(Array.from({ length: 1_000 }, (_, index) => accountValues(turn * 1_000 + index))),
  },
  {
    name: "update 1000 by query builder",
    times: 5,
    aim: "",
    run: (dataSource, turn) =>
      dataSource
        .createQueryBuilder()
        .update(Account)
        .set({ city: `Bern ${turn}` })
        .where("id <= 1000")
        .execute(),
  },
];

/** Writes of clients that run at the same time, each on rows of its own. */
export const concurrent: Operation = {
  name: "16 clients: insert, update",
  times: 12,
  aim: "≤ 1.05 (throughput ≥ 0.95)",
  run: (dataSource, turn) =>
    Promise.all(
      Array.from({ length: 16 }, async (_, client) => {
        await dataSource.getRepository(Account).save(accountValues(turn));
        await dataSource.getRepository(Account).update({ id: 1 + client }, { city: `Oslo ${turn}` });
      }),
    ),
};
