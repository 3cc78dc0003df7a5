import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
import { type EventLog, Tracked } from "../../src/index.js";

@Entity()
@Tracked()
export class Parcel {
  @PrimaryGeneratedColumn("identity", { type: "bigint", generatedIdentity: "BY DEFAULT" }) id!: string;
  @Column("text") note!: string;
}

export const tailEntities = [Parcel];

export interface TailLoad {
  /** The database of an application with the `tailEntities`. */
  readonly url: string;
  readonly log: EventLog;
  /** Events to commit at least. */
  readonly events: number;
  readonly writers: number;
  /** Between 0 and 1; what the run does follows from it. */
  readonly random: () => number;
  readonly onProgress?: (committed: number) => void;
}

export interface TailCounts {
  readonly events: number;
  readonly transactions: number;
  readonly rolledBack: number;
  /** Times that a writer's connection was cut in a transaction, and that the tail was ended, or its connection cut, and went on. */
  readonly writersCut: number;
  readonly tailsResumed: number;
  readonly missed: number;
  readonly doubled: number;
  /** Events that came before an earlier one of their transaction, or after another transaction had come between. */
  readonly outOfOrder: number;
  /** What a reader by `position > mark` missed in the same run. */
  readonly naiveMissed: number;
}

/**
 * Writers with long transactions, rollbacks, savepoints and lost connections; a tail beside them that is interrupted again and
 * again and goes on from the last event it gave; and a reader that knows no better than `position > mark`.
 */
export async function tailLoad({ url, log, events, writers, random, onProgress }: TailLoad): Promise<TailCounts> {
  const counts = { transactions: 0, rolledBack: 0, writersCut: 0, tailsResumed: 0 };
  const given: { position: bigint; transactionId: bigint }[] = [];
  const naive = new Set<string>();
  const side = await connected(url);
  const [{ start } = { start: "0" }] = (
    await side.query<{ start: string }>("select coalesce(max(position), 0) as start from chronicle.event")
  ).rows;
  let committed = 0;
  let writing = true;
  const controller = new AbortController();

  const write = async () => {
    let client = await connected(url);
    while (committed < events) {
      const isLong = random() < 0.03;
      let rows = 0;
      try {
        await client.query("begin");
        for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
          const some = 1 + Math.floor(random() * 8);
          if (random() < 0.1) {
            await client.query(`savepoint s; ${insert(some)}; rollback to savepoint s`);
          } else {
            await client.query(random() < 0.2 ? `savepoint t; ${insert(some)}; release savepoint t` : insert(some));
            rows += some;
          }
          if (isLong) await sleep(50 + random() * 200);
        }
        if (random() < 0.02) {
          counts.writersCut++;
          await side.query("select pg_terminate_backend($1)", [(client as unknown as { processID: number }).processID]);
        }
        const commits = random() > 0.12;
        await client.query(commits ? "commit" : "rollback");
        counts.transactions++;
        if (commits) committed += rows;
        else counts.rolledBack++;
        onProgress?.(committed);
      } catch {
        await client.end().catch(() => undefined);
        client = await connected(url);
      }
    }
    await client.end();
  };

  const follow = async () => {
    let after: bigint | string = BigInt(start);
    while (!controller.signal.aborted) {
      const interruption = new AbortController();
      const timer = setTimeout(
        () => {
          if (!writing) return;
          counts.tailsResumed++;
          if (random() < 0.5) interruption.abort();
          else
            void side.query(
              "select pg_terminate_backend(pid) from pg_stat_activity where query like '%sleeping_tail%' and pid <> pg_backend_pid() or query like '%tail_positions%' and pid <> pg_backend_pid()",
            );
        },
        100 + random() * 500,
      );
      try {
        const signal = AbortSignal.any([interruption.signal, controller.signal]);
        for await (const { position, transactionId, cursor } of log.tail({ after, signal })) {
          given.push({ position, transactionId });
          after = cursor;
        }
      } catch {
        // its connection was cut
      }
      clearTimeout(timer);
    }
  };

  const readNaively = async () => {
    const client = await connected(url);
    let mark = start;
    while (writing) {
      const { rows } = await client.query<{ position: string }>(
        "select position from chronicle.event where position > $1 order by position",
        [mark],
      );
      for (const { position } of rows) naive.add(position);
      mark = rows.at(-1)?.position ?? mark;
      await sleep(2);
    }
    const { rows } = await client.query<{ position: string }>(
      "select position from chronicle.event where position > $1",
      [mark],
    );
    for (const { position } of rows) naive.add(position);
    await client.end();
  };

  const readers = [follow(), readNaively()];
  await Promise.all(Array.from({ length: writers }, write));
  writing = false;
  const { rows } = await side.query<{ position: string }>("select position from chronicle.event where position > $1", [
    start,
  ]);
  for (let before = -1; given.length < rows.length && before !== given.length;) {
    before = given.length;
    await sleep(3_000);
  }
  controller.abort();
  await Promise.all(readers);
  await side.end();

  const seen = new Map<string, number>();
  for (const { position } of given) seen.set(String(position), (seen.get(String(position)) ?? 0) + 1);
  return {
    events: rows.length,
    ...counts,
    missed: rows.filter(({ position }) => !seen.has(position)).length,
    doubled: [...seen.values()].filter((times) => times > 1).length,
    outOfOrder: countOutOfOrder(given),
    naiveMissed: rows.filter(({ position }) => !naive.has(position)).length,
  };
}

function insert(rows: number): string {
  return `insert into parcel (note) select 'parcel ' || n from generate_series(1, ${rows}) n`;
}

function countOutOfOrder(given: readonly { position: bigint; transactionId: bigint }[]): number {
  const last = new Map<bigint, bigint>();
  let wrong = 0;
  for (const [index, { position, transactionId }] of given.entries()) {
    const before = last.get(transactionId);
    const isTorn = before !== undefined && given[index - 1]?.transactionId !== transactionId;
    if (isTorn || (before !== undefined && before >= position)) wrong++;
    last.set(transactionId, position);
  }
  return wrong;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
