import { mostPosition } from "./last-position.js";
import { hasEnded, nothing, type Snapshot, snapshotOf, snapshotText } from "./snapshot.js";

/** Where a tail is: what it has given, and so what it has still to give. */
export interface Cursor {
  /** Transactions of earlier epochs are all given, those of later ones are not. */
  readonly epoch: number;
  /** The transactions of the epoch that are given whole. */
  readonly given: Snapshot;
  /** The transaction that is being given, up to a position. */
  readonly transaction: bigint;
  readonly position: bigint;
}

/** "epoch:snapshot:transaction:position": the snapshot has three parts, "xmin:xmax:xip,xip". */
export function cursorText({ epoch, given, transaction, position }: Cursor): string {
  return `${epoch}:${snapshotText(given)}:${transaction}:${position}`;
}

const form = /^(\d{1,5}):(\d{1,19}:\d{1,19}:(?:\d{1,19}(?:,\d{1,19})*)?):(\d{1,19}):(\d{1,19})$/;
const mostEpoch = 2 ** 15 - 1;

/** The cursor that a text is; undefined if no tail can have given it. */
export function cursorOf(text: string): Cursor | undefined {
  const [, epoch = "", snapshot = "", transaction = "", position = ""] = form.exec(text) ?? [];
  if (snapshot === "") return undefined;
  const cursor = {
    epoch: Number(epoch),
    given: snapshotOf(snapshot),
    transaction: BigInt(transaction),
    position: BigInt(position),
  };
  const { end, open } = cursor.given;
  const isAscending = [nothing.end - 1n, ...open, end].every((id, at, all) => at === 0 || id > (all[at - 1] ?? 0n));
  // The transaction that a part was given of does not count as given, and is the last that is known of.
  const isWithin = cursor.transaction <= end && !hasEnded(cursor.transaction, cursor.given);
  const isInRange = cursor.epoch <= mostEpoch && end <= mostPosition && cursor.position <= mostPosition;
  return isAscending && isWithin && isInRange && cursorText(cursor) === text ? cursor : undefined;
}
