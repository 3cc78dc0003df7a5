import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions, section } from "../core/option-checker.js";
import { asOwner } from "../core/rights.js";
import { positionOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { refuse } from "../log/finding.js";
import { makePartition, partitionName, partitionSize, partitionsOf } from "../log/partitions.js";
import { secure, storedGrants } from "../log/secure.js";
import { findingsOf } from "../log/status.js";
import { type SetUpOptions, setUpOptions, withSetUp } from "./set-up.js";

export interface PartitionReport {
  /** The table that events go to from now on. */
  readonly partition: string;
  /** Its first position. */
  readonly from: bigint;
}

const partitionOptions = section({ lockTimeoutMs: setUpOptions.lockTimeoutMs });

/**
 * Begins a new partition of the event table, for `retain()` to drop whole one day; what was recorded so far stays where it is.
 * The first call turns the plain table into one of partitions: its rows are not rewritten, and writers go on while they are looked
 * through. Does nothing where the last partition is still empty. The new one begins at a moment without an open transaction that
 * writes events, so that none is in two.
 * Throws NOT_OWNER, INSTALL_LOCK_TIMEOUT, NOT_INSTALLED, INSTALL_STALE, OPTIONS_INVALID.
 */
export async function partition(
  dataSource: DataSource,
  options: Pick<SetUpOptions, "lockTimeoutMs"> = {},
): Promise<PartitionReport> {
  const { lockTimeoutMs } = checkOptions("partition", options, partitionOptions);
  const { schema } = attachmentOf(dataSource);
  const work = withSetUp(dataSource, { lockTimeoutMs }, async (session, setUp) => {
    refuse(await findingsOf(session, dataSource));
    if ((await partitionsOf(session, schema)).length === 0) {
      await setUp(() => boundPlainTable(session, schema));
      await session.run(`alter table ${schema}.event validate constraint event_bound`);
      await setUp(() => divide(session, schema));
    }
    const number = await setUp(() => makeNext(session, schema));
    return setUp(() => begin(session, schema, number));
  });
  return asOwner(dataSource, work);
}

/**
 * A bound that Postgres can trust when the table becomes a partition, instead of reading all of it while writers wait. Should
 * this stop half-way, it harms nobody: no log reaches that many positions.
 */
async function boundPlainTable(session: Session, schema: string): Promise<void> {
  await session.run(
    `alter table ${schema}.event drop constraint if exists event_bound, add constraint event_bound check (position < ${partitionSize}) not valid`,
  );
}

/** The plain table becomes the first partition of a new table in its place. */
async function divide(session: Session, schema: string): Promise<void> {
  const event = `${schema}.event`;
  const plain = partitionName(0n);
  await session.run(`lock table ${event} in access exclusive mode`);
  const next = await session.row(sql`select last_value + is_called::integer as next from ${raw(event)}_position_seq`);
  await session.run(`
    drop trigger if exists mark_commit on ${event};
    drop trigger if exists settle_commit on ${schema}.commit_marker;
    alter table ${event} alter column position drop identity;
    alter table ${event} rename to ${plain};
    create table ${event} (like ${schema}.${plain} including defaults including storage including compression including comments including indexes) partition by range (position);
    alter table ${event} alter column position add generated always as identity (sequence name ${event}_position_seq start with ${positionOf(next, "next")} cache 1);
    select ${schema}.put_guards('${event}');
    alter table ${event} attach partition ${schema}.${plain} for values from (minvalue) to (${partitionSize});
    alter table ${schema}.${plain} drop constraint event_bound;
    select ${schema}.put_commit_marker()`);
  await secure(session, schema, await storedGrants(session, schema));
}

/** The partition after the one that events go to now, if that has any and it is not there yet. */
async function makeNext(session: Session, schema: string): Promise<bigint> {
  const { number, drawn } = await currentOf(session, schema);
  if (number > 0n && !drawn) return number;
  const name = partitionName(number + 1n);
  const from = (number + 1n) * partitionSize;
  if (!(await partitionsOf(session, schema)).some((partition) => partition.name === name)) {
    await makePartition(session, schema, name);
    await session.run(
      `alter table ${schema}.event attach partition ${schema}.${name} for values from (${from}) to (${from + partitionSize})`,
    );
    await secure(session, schema, await storedGrants(session, schema));
  }
  return number + 1n;
}

/**
 * Has events go to a partition from now on. It is there and committed already: a sequence does not go back with its transaction, and
 * must never give a position that has no place.
 */
async function begin(session: Session, schema: string, number: bigint): Promise<PartitionReport> {
  await session.run(`lock table ${schema}.event in share row exclusive mode`);
  const current = await currentOf(session, schema);
  const begun = current.number >= number ? current.number : number;
  const from = begun * partitionSize;
  if (begun > current.number)
    await session.run(`
      insert into ${schema}.event_partition (position) values (${from});
      select setval('${schema}.event_position_seq', ${from}, false)`);
  return { partition: partitionName(begun), from };
}

/** The partition that the last position lies in, and whether any was drawn there. */
async function currentOf(session: Session, schema: string): Promise<{ number: bigint; drawn: boolean }> {
  const row = await session.row(
    sql`select last_value as last, is_called as drawn from ${raw(schema)}.event_position_seq`,
  );
  return { number: positionOf(row, "last") / partitionSize, drawn: row?.drawn === "t" };
}
