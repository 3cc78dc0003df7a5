import { EventLogError } from "../src/core/errors.js";
import { isLockKey, lockArguments, type LockKey } from "../src/core/lock-key.js";
import type { CheckedOptions } from "../src/core/options.js";
import { quoteIdentifier } from "../src/core/sql.js";
import type { Connection } from "./connection.js";
import type { Note, Verb } from "./notes.js";

const actions = { insert: "create", update: "update", delete: "destroy" } as const satisfies Record<Verb, string>;

/**
 * The lock keys of a flush as JSON: null for the log's own, else those that `keyFor` gave, each once and in ascending order, which
 * is the same for everybody: two flushes never wait for each other in a circle.
 */
export async function lockKeys(
  { lock: { keyFor }, schema }: CheckedOptions,
  notes: readonly Note[],
  connection: Connection,
): Promise<string> {
  if (keyFor === undefined) return "null";
  const { rows } = await connection.own(`select lock_arguments from ${quoteIdentifier(schema)}.installation`);
  const own = keyOf(rows[0]?.["lock_arguments"] as string);
  const keys = notes.map(({ table, key, last, context }) => {
    const values = JSON.parse(key) as unknown[];
    const recordId = Object.fromEntries(table.keyColumns.map((name, index) => [name, values[index]]));
    const given = keyFor({ entity: table.entity, recordId, action: actions[last] }, context?.context, own);
    if (isLockKey(given)) return lockArguments(given).split(", ").map(BigInt);
    throw new EventLogError(
      "OPTIONS_INVALID",
      `expected lock.keyFor to return a bigint, an integer, a string or a pair of 32-bit integers, got: ${typeof given}.`,
    );
  });
  const unique = new Map(keys.map((key) => [key.join(), key]));
  return `[${[...unique.values()]
    .toSorted(compare)
    .map((key) => `[${key.join(",")}]`)
    .join(",")}]`;
}

function keyOf(stored: string): LockKey {
  const [first = 0n, second] = stored.split(", ").map(BigInt);
  return second === undefined ? first : [Number(first), Number(second)];
}

/** Keys of one number first, then by number. */
function compare(a: readonly bigint[], b: readonly bigint[]): number {
  const differing = [BigInt(a.length - b.length), ...a.map((part, index) => part - (b[index] ?? 0n))].find(
    (by) => by !== 0n,
  );
  return differing === undefined ? 0 : differing < 0n ? -1 : 1;
}
