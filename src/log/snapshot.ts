/** The transactions that have ended, as in `pg_snapshot`: those before `end`, without those that were `open`. */
export interface Snapshot {
  readonly end: bigint;
  /** Ascending, each below `end`. */
  readonly open: readonly bigint[];
}

/** The snapshot in which no transaction has ended. */
export const nothing: Snapshot = { end: 1n, open: [] };

/** "xmin:xmax:xip,xip", as Postgres writes it. */
export function snapshotOf(text: string): Snapshot {
  const [, end = "", open = ""] = text.split(":");
  return { end: BigInt(end), open: open === "" ? [] : open.split(",").map(BigInt) };
}

export function snapshotText({ end, open }: Snapshot): string {
  return `${open[0] ?? end}:${end}:${open.join(",")}`;
}

/** Whether a transaction had ended. */
export function hasEnded(id: bigint, { end, open }: Snapshot): boolean {
  return id < end && !open.includes(id);
}

/** A snapshot, and of a later one the transactions before `id`. */
export function grown(before: Snapshot, later: Snapshot, id: bigint): Snapshot {
  return {
    end: id > before.end ? id : before.end,
    open: [...later.open.filter((open) => open < id), ...before.open.filter((open) => open >= id)],
  };
}

/** A snapshot without its transactions from `end` on. */
export function cutOff(snapshot: Snapshot, end: bigint): Snapshot {
  return snapshot.end <= end ? snapshot : { end, open: snapshot.open.filter((open) => open < end) };
}
