import { addedColumns } from "./added-columns.js";
import type { Change, ChangeKind } from "./change.js";
import { columnChanges } from "./column-changes.js";
import { Dice } from "./dice.js";
import { enumChanges } from "./enum-changes.js";
import type { Model } from "./model.js";
import { partitionChanges } from "./partition-changes.js";
import { retypes } from "./retypes.js";
import { tableChanges } from "./table-changes.js";

export const changeKinds: Readonly<Record<string, ChangeKind>> = {
  ...columnChanges,
  ...addedColumns,
  ...retypes,
  ...enumChanges,
  ...tableChanges,
  ...partitionChanges,
};

/** A change of the kind that is asked for; of the next kind that has something to change if it has not; else null. */
export function drawChange(
  model: Model,
  wanted: string,
  seed: number,
  among: readonly string[],
): [string, Change] | null {
  const dice = new Dice(seed);
  const table = dice.pick([...model.tables, ...model.tables.slice(0, 1)]);
  const first = among.indexOf(wanted);
  for (const kind of [...among.slice(first), ...among.slice(0, first)]) {
    const change = changeKinds[kind]?.(model, table, dice);
    if (change != null) return [kind, change];
  }
  return null;
}
