import type { DataSource } from "typeorm";
import { Account, accountValues } from "../capture/account.js";
import { accountsAtStart } from "../capture/operations.js";

/** Something an application does by the calls that the other packages can record, where they can. */
export interface PeerOperation {
  readonly name: string;
  /** How often a round does it. */
  readonly times: number;
  /** How many rows it changes. */
  readonly changes: number;
  /** Whether it is one that is measured in exclusive order too. */
  readonly isConcurrent?: boolean;
  /** `turn` counts up, so that every write changes something. */
  readonly run: (dataSource: DataSource, turn: number) => Promise<unknown>;
}

const clients = 16;

async function update(dataSource: DataSource, id: number, city: string): Promise<void> {
  const accounts = dataSource.getRepository(Account);
  const account = await accounts.findOneByOrFail({ id });
  account.city = city;
  await accounts.save(account);
}

export function peerOperations(updateAll: (dataSource: DataSource, city: string) => Promise<unknown>): PeerOperation[] {
  return [
    {
      name: "save 1",
      times: 30,
      changes: 1,
      run: (dataSource, turn) => dataSource.getRepository(Account).save(accountValues(turn)),
    },
    {
      name: "update 1: find, save",
      times: 30,
      changes: 1,
      run: (dataSource, turn) => update(dataSource, 1 + (turn % accountsAtStart), `Paris ${turn}`),
    },
    {
      name: "transaction of 5 saves",
      times: 12,
      changes: 5,
      run: (dataSource, turn) =>
        dataSource.transaction(async (manager) => {
          const accounts = manager.getRepository(Account);
          const made = await accounts.save(accountValues(turn) as Account);
          await accounts.save(accountValues(turn + 1));
          await accounts.save(accountValues(turn + 2));
          const found = await accounts.findOneByOrFail({ id: 1 + (turn % accountsAtStart) });
          found.city = `Rome ${turn}`;
          found.referredBy = made.referredBy;
          await accounts.save(found);
          const other = await accounts.findOneByOrFail({ id: 1 + ((turn + 1) % accountsAtStart) });
          other.city = `Bonn ${turn}`;
          await accounts.save(other);
        }),
    },
    {
      name: `${clients} clients: insert, update`,
      times: 6,
      changes: clients * 2,
      isConcurrent: true,
      run: (dataSource, turn) =>
        Promise.all(
          Array.from({ length: clients }, async (_, client) => {
            await dataSource.getRepository(Account).save(accountValues(turn));
            await update(dataSource, 1 + client, `Oslo ${turn}`);
          }),
        ),
    },
    {
      name: "save 1000",
      times: 1,
      changes: 1_000,
      run: (dataSource, turn) =>
        dataSource
          .getRepository(Account)
          .save(Array.from({ length: 1_000 }, (_, index) => accountValues(turn * 1_000 + index))),
    },
    {
      name: "update 1000 by criteria",
      times: 1,
      changes: 1_000,
      run: (dataSource, turn) => updateAll(dataSource, `Bern ${turn}`),
    },
  ];
}
