import type { Change, Shadow } from "../../src/index.js";
import { attempt, type Attempt, described, isTyped } from "./attempt.js";
import type { Row } from "./kind.js";
import { bookmark, type Migrated } from "./migrated.js";
import { entityIn, ordinaryColumns, type Release } from "./release.js";
import { isRightRefusal, type PastRows, rowOf } from "./past.js";
import { canonicalValue, difference, only } from "./rows.js";

/** What is wrong with the calls on one record, the first of the old rows, in sentences. The last of them reverts it. */
export async function recordComplaints(
  migrated: Migrated,
  { log, entities }: Release,
  table: string,
  { past, shadow }: { past: PastRows; shadow: Attempt<Shadow> },
): Promise<string[]> {
  const { kind } = migrated;
  const entity = entityIn(entities, table);
  const id = migrated.keyAfter(kind.rows[0]);
  const wanted = rowOf(past, id);
  const live = async () => rowOf((await migrated.liveRows()).get(table), id);
  /** Whatever is wrong with a call that may be refused, or what its value has to say. */
  const judge = async <T>(call: string, made: Attempt<T>, unlike: (value: T) => Promise<string | undefined>) => {
    if (made.failed) return isRightRefusal(kind, made.error) ? [] : [`${call} gave ${described(made)}`];
    const found = past === undefined ? "is not refused" : await unlike(made.value);
    return found === undefined ? [] : [`${call} ${found}`];
  };

  const columns = ordinaryColumns(kind.after);
  const found = await attempt(() => log.at(entity, id, { bookmark }, { sensitive: true }));
  const atComplaints = await judge("at", found, async (value) => {
    if (shadow.failed) return undefined;
    const inShadow = shadow.value.manager.getRepository(entity);
    return unlike(value, await inShadow.findOne({ where: id, withDeleted: true }), columns);
  });

  const before = await live();
  const changed = await attempt(() => log.changes(entity, id, { from: { bookmark } }));
  const seen = columns.filter((name) => !kind.after.sensitive?.includes(name));
  const changesComplaints = await judge("changes", changed, async (value) =>
    unlikeChanges(value, changesBetween(wanted, before, seen), seen),
  );

  const reverted = await attempt(() => log.revert(entity, id, { bookmark }));
  const isRefused = reverted.failed;
  const mayNotFit = kind.doesNotFit && isRefused && isTyped(reverted.error);
  const revertComplaints = mayNotFit ? [] : await judge("revert", reverted, async () => undefined);
  const left = difference(listOf(await live(), columns), listOf(isRefused ? before : wanted, columns));
  if (left !== undefined && (isRefused || past !== undefined)) revertComplaints.push(`revert left ${left}`);
  return [...atComplaints, ...changesComplaints, ...revertComplaints];
}

const listOf = (row: Row | undefined, columns: readonly string[]): Row[] => (row ? only([row], columns) : []);

/** Two entities as text: what one call gives must be what the other does. */
function unlike(value: Row | null, wanted: Row | null, columns: readonly string[]): string | undefined {
  const [is, was] = [value, wanted].map((row) => canonicalValue(row && plain(only([row], columns)[0])));
  return is === was ? undefined : `gave ${is}, and the shadow has ${was}`;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** Columns by their values before and after, as text without quotes: the log gives long numbers as text. */
function changesBetween(before: Row | undefined, after: Row | undefined, columns: readonly string[]): Row[] {
  return columns
    .map((column) => ({ column, before: loose(before?.[column]), after: loose(after?.[column]) }))
    .filter((change) => change.before !== change.after);
}

function unlikeChanges(
  changes: readonly Change[],
  wanted: readonly Row[],
  columns: readonly string[],
): string | undefined {
  const found = changes
    .filter(({ column }) => columns.includes(column))
    .map(({ column, before, after }) => ({ column, before: loose(before), after: loose(after) }));
  const unlikeness = difference(found, wanted);
  return unlikeness && `gave ${unlikeness}`;
}

/** Numbers without the zeros at their end, which JavaScript's do not have. */
function loose(value: unknown): string {
  const given = canonicalValue(value).replaceAll('"', "");
  return /^-?\d+\.\d+$/.test(given) ? String(Number(given)) : given;
}
