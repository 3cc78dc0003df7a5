import type { EntityManager } from "typeorm";
import { createDatabase } from "../database.js";
import { Account, Ledger, Receipt, Transfer } from "./ledger.js";

export interface LoadResult {
  /** Replays that got through. */
  readonly replays: number;
  /** Transactions and single statements of the writers that were committed. */
  readonly commits: number;
  /** What failed, of replays and writers: none is expected. */
  readonly failures: readonly string[];
  /** Milliseconds that 95 of 100 replays took at most. */
  readonly p95: number;
}

/**
 * Replays, to the end and to bookmarks, while writers move money between hot rows in any order of tables, in transactions at two
 * isolation levels and in single statements. Nobody may fail because of it: writers lock rows in one order, so that none
 * fails because of another, and those that would notice a concurrent change work on rows of their own.
 */
export async function replayUnderWriters({
  replays,
  writers,
  onProgress,
}: {
  replays: number;
  writers: number;
  onProgress?: (done: number) => void;
}): Promise<LoadResult> {
  const database = await createDatabase();
  const ledger = await Ledger.open(database.url, { accounts: 2 * writers + 10, poolSize: writers + 4 });
  const failures: string[] = [];
  const durations: number[] = [];
  let [commits, stopped] = [0, false];
  const sum = await ledger.sum();
  const write = async (writer: number) => {
    while (!stopped) {
      try {
        await writeOnce(ledger, writer);
        commits++;
      } catch (error) {
        failures.push(`writer ${writer}: ${String(error)}`);
      }
    }
  };
  const work = Array.from({ length: writers }, (_, writer) => write(writer));
  try {
    await ledger.log.bookmark("mark 0");
    for (let index = 1; index <= replays; index++) {
      const started = performance.now();
      try {
        await ledger.log.replay(index % 4 === 0 ? { bookmark: `mark ${index - 3}` } : undefined);
        durations.push(performance.now() - started);
      } catch (error) {
        failures.push(`replay ${index}: ${String(error)}`);
      }
      await ledger.log.bookmark(`mark ${index}`);
      if ((await ledger.sum()) !== sum) failures.push(`replay ${index}: the sum of the accounts has changed`);
      onProgress?.(index);
    }
  } finally {
    stopped = true;
    await Promise.all(work);
  }
  const { differences } = await ledger.log.verify();
  failures.push(...differences.map((difference) => `verify: ${JSON.stringify(difference)}`));
  await ledger.close();
  await database.drop();
  durations.sort((a, b) => a - b);
  return { replays: durations.length, commits, failures, p95: durations[Math.ceil(durations.length * 0.95) - 1] ?? 0 };
}

async function writeOnce({ dataSource, accounts }: Ledger, writer: number): Promise<void> {
  const dice = Math.random();
  if (dice < 0.25) {
    await dataSource.getRepository(Account).update(1 + Math.floor(Math.random() * 5), { balance: () => "balance + 0" });
    await dataSource.getRepository(Receipt).insert({ account: { id: 1 + Math.floor(Math.random() * 5) } });
    return;
  }
  if (dice < 0.5) {
    const own = accounts - 2 * writer;
    await dataSource.transaction("REPEATABLE READ", (manager) => transfer(manager, [own - 1, own], 1));
    return;
  }
  const [from, to] = [1 + Math.floor(Math.random() * 10), 1 + Math.floor(Math.random() * 10)];
  if (from === to) return;
  await dataSource.transaction((manager) => transfer(manager, [from, to], 1 + Math.floor(Math.random() * 5)));
}

/** The tables in any order, the rows in that of their ids. */
async function transfer(manager: EntityManager, [from, to]: readonly [number, number], amount: number): Promise<void> {
  const note = () => manager.insert(Transfer, { from: { id: from }, to: { id: to }, amount });
  const receipt = () => manager.insert(Receipt, { account: { id: from } });
  const notesFirst = Math.random() < 0.5;
  if (notesFirst) await note();
  else await receipt();
  for (const id of [from, to].toSorted((a, b) => a - b)) {
    await manager.increment(Account, { id }, "balance", id === from ? -amount : amount);
  }
  if (notesFirst) await receipt();
  else await note();
}

/** Two replays at once, again and again: how often exactly one of them was refused, while the other went on and got through. */
export async function twoReplaysAtOnce(times: number, onProgress?: (done: number) => void): Promise<number> {
  const database = await createDatabase();
  const ledger = await Ledger.open(database.url);
  let refused = 0;
  for (let time = 0; time < times; time++) {
    // As long as this transaction is open, neither can end.
    const writer = ledger.dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.manager.increment(Account, { id: 1 }, "balance", 0);
    const both = [ledger.log.replay(), ledger.log.replay()];
    const first = await Promise.race(
      both.map((one) =>
        one.then(
          () => "done",
          (error: { code?: string }) => error.code,
        ),
      ),
    );
    await writer.commitTransaction();
    await writer.release();
    const through = (await Promise.allSettled(both)).filter(({ status }) => status === "fulfilled").length;
    if (first === "REPLAY_IN_PROGRESS" && through === 1) refused++;
    onProgress?.(time + 1);
  }
  await ledger.close();
  await database.drop();
  return refused;
}
