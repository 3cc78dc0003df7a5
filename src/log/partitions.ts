import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/** A table that holds the events of a range of positions. */
export interface Partition {
  readonly name: string;
  /** Schema-qualified, for SQL. */
  readonly sqlName: string;
  /** The first position after it. */
  readonly end: bigint;
  /** When the next one began, as text: all that it holds had been committed by then. Undefined for the last. */
  readonly ended: string | undefined;
}

/**
 * How many positions a partition has: more than it will ever draw, so that none must be made before the last is full, and room
 * enough behind its last event for the baseline that may take its place. The next one begins at the next multiple.
 */
export const partitionSize = 1_000_000_000_000n;

/** The partitions of the event table, oldest first; none where it is a plain table. */
export async function partitionsOf(session: Session, schema: string): Promise<Partition[]> {
  const rows = await session.rows(sql`
    select p.*, to_jsonb(b.began_at) #>> '{}' as ended
    from (
      select c.relname as name, c.oid::regclass as "sqlName", (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''?(\\d+)''?\\)'))[1]::bigint as end
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = ${`${schema}.event`}::regclass
    ) p
    left join ${raw(schema)}.event_partition b on b.position = p.end order by p.end`);
  return rows.map(({ name, sqlName, end, ended }) => ({
    name: name ?? "",
    sqlName: sqlName ?? "",
    end: BigInt(end ?? 0),
    ended: ended ?? undefined,
  }));
}

export function partitionName(number: bigint): string {
  return `event_${number}`;
}

/** Makes a table that can become a partition; a guard of its own keeps it append-only, for whoever writes to it directly. */
export async function makePartition(session: Session, schema: string, name: string): Promise<void> {
  await session.run(`
    create table ${schema}.${name} (like ${schema}.event including all excluding identity);
    select ${schema}.put_guards('${schema}.${name}')`);
}

/** Where whole partitions were dropped: the first position that was kept, else undefined. */
export async function keptFrom(session: Session, schema: string): Promise<bigint | undefined> {
  const row = await session.row(sql`select kept_from from ${raw(schema)}.installation`);
  return row?.kept_from == null ? undefined : BigInt(row.kept_from);
}

/** One snapshot of the log and the tables: nothing of the log is dropped between the snapshot and the first look at it. */
export function snapshotOfLog<T>(session: Session, schema: string, work: () => Promise<T>): Promise<T> {
  return session.snapshot(async () => {
    await session.run(`lock table ${schema}.event in access share mode`); // a command that takes no snapshot yet
    return work();
  });
}
