import type { DataSource, EntityManager } from "typeorm";
import { type RequestContext, withRequestContext } from "../../../src/index.js";

/** One thing that somebody sets out to do. */
export interface Errand {
  readonly by: RequestContext;
  /** Goes into the metadata of every event that comes of it. */
  readonly why: string;
  readonly ticket?: string;
  /** The kind of write, for the summary. */
  readonly how: string;
  /** Makes the writes and returns how many it made: calls, however many rows each of them touched. */
  readonly run: (manager: EntityManager) => Promise<number>;
}

/** Writes made in one way. */
export interface Written {
  readonly how: string;
  readonly writes: number;
}

/** Runs errands one after the other, each in a request context of its own, as a server runs requests. */
export async function runErrands(dataSource: DataSource, errands: readonly Errand[]): Promise<Written[]> {
  const written: Written[] = [];
  for (const { by, why, ticket, how, run } of errands) {
    const metadata = { reason: why, how, ...(ticket === undefined ? {} : { ticket }) };
    const writes = await withRequestContext({ ...by, metadata }, () => run(dataSource.manager));
    written.push({ how, writes });
  }
  return written;
}

/** Calls `write` for one item after the other and returns how many there were. */
export async function forEach<T>(
  items: Iterable<T>,
  write: (item: T, index: number) => Promise<unknown>,
): Promise<number> {
  let count = 0;
  for (const item of items) await write(item, count++);
  return count;
}
