import { createHash } from "node:crypto";
import type { RequestContext } from "./request-context.js";

/** A key of PostgreSQL's advisory locks: 64 bits, a string that is hashed to them, or two of 32 bits. */
export type LockKey = bigint | number | string | readonly [number, number];

/** A change that a flush is about to record. */
export interface NotedChange {
  /** The tracked name; the parent's under single-table inheritance. */
  readonly entity: string;
  /** Primary key columns and their values; `int8` and `numeric` as strings. */
  readonly recordId: Readonly<Record<string, unknown>>;
  /** What was done to it last in this transaction. */
  readonly action: "create" | "update" | "destroy";
}

/** The lock key of one change; `key` is the log's own. */
export type KeyFor = (change: NotedChange, context: RequestContext | undefined, key: LockKey) => LockKey;

export function isLockKey(key: unknown): key is LockKey {
  if (typeof key === "string") return true;
  if (typeof key === "bigint") return BigInt.asIntN(64, key) === key;
  if (typeof key === "number") return Number.isSafeInteger(key);
  return (
    Array.isArray(key) &&
    key.length === 2 &&
    key.every((part: unknown) => Number.isInteger(part) && (part as number) === ((part as number) | 0))
  );
}

/** The key as arguments of pg_advisory_xact_lock: integers as they are, pairs as Postgres has them, strings hashed to 64 bits. */
export function lockArguments(key: LockKey): string {
  if (typeof key === "string") return String(createHash("sha256").update(key).digest().readBigInt64BE(0));
  return typeof key === "object" ? key.join(", ") : String(key);
}
