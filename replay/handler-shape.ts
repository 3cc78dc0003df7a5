import { type Move, moved, type SchemaHistory } from "../src/log/schema-history.js";
import type { SchemaChange } from "../src/log/table-shape.js";
import type { Action } from "../src/core/tracked.js";
import type { FoldTable } from "./fold-table.js";
import type { Row } from "./handlers.js";

/** An event of an old version, as far as it says which shape its data has. */
export interface ShapedEvent {
  readonly position: bigint;
  readonly action: Action;
  readonly version: number;
  /** Null for the shape that the last install before it left. */
  readonly shape: string | null;
  /** The discriminator's value of its entity under single-table inheritance, else "". */
  readonly child: string;
}

/** A stretch of versions that one install raised, and the era that this install ended. */
export interface Stretch {
  readonly era: number | undefined;
  readonly from: number;
  readonly to: number;
}

/**
 * The versions that an event is brought through, each stretch by the handlers of the release that raised it. One that
 * was written between the ALTER and that install speaks the new columns already: its stretch is left out.
 */
export function stretchesOf(history: SchemaHistory | undefined, event: ShapedEvent, wanted: number): Stretch[] {
  const era = history?.eraOf(event.position);
  const stretches: { era: number | undefined; from: number; to: number }[] = [];
  for (let version = event.version; version < wanted; version++) {
    const raised = history?.changes.findIndex((change) => raises(change, event, version)) ?? -1;
    const of = raised === -1 ? undefined : raised;
    if (of !== undefined && of === era && event.shape !== null) continue;
    const last = stretches.at(-1);
    if (last !== undefined && last.era === of && last.to === version) last.to = version + 1;
    else stretches.push({ era: of, from: version, to: version + 1 });
  }
  return stretches;
}

function raises({ versions }: SchemaChange, { child, action }: ShapedEvent, version: number): boolean {
  const [before = 0, after = 0] = versions[child]?.[action] ?? versions[""]?.[action] ?? [];
  return before <= version && version < after;
}

/** Data on its way from the shape that it was recorded in to today's. */
export class Travel {
  #era: number;
  #moves: (to: number) => Move[];

  constructor(
    private readonly history: SchemaHistory | undefined,
    event: ShapedEvent,
    public data: Row,
  ) {
    this.#era = history?.eraOf(event.position) ?? 0;
    const [era, columns] = [this.#era, history?.columnsOf(this.#era, event.shape) ?? []];
    this.#moves = (to) => history?.moves(era, columns, to) ?? [];
  }

  /**
   * Brings it to the shape that the handlers of a stretch know: the last before the install that raised their versions.
   */
  toHandlersOf({ era }: Stretch): void {
    if (era !== undefined && era > this.#era) this.#to(era);
  }

  /** The handlers have made it: what that install did is done, as far as they know of it. */
  madeByHandlersOf({ era }: Stretch): void {
    if (era === undefined || era < this.#era) return;
    this.data = spokenAfter(this.history?.changes[era], this.data);
    this.#settle(era + 1);
  }

  toToday(): Row {
    if (this.history !== undefined) this.#to(this.history.changes.length);
    return this.data;
  }

  #to(era: number): void {
    this.data = moved(this.data, this.#moves(era));
    this.#settle(era);
  }

  #settle(era: number): void {
    this.#era = era;
    this.#moves = (to) => this.history?.moves(era, this.history.installed(era), to) ?? [];
  }
}

/**
 * What a handler made, in the shape that its install left. A key that it kept from before is renamed or left out if the
 * install knows what became of the column, and so is a label that is gone; what the install did is not applied
 * otherwise.
 */
function spokenAfter(change: SchemaChange | undefined, row: Row): Row {
  if (change === undefined) return row;
  const moves = change.before.flatMap((was): Move[] => {
    const now = change.after.find(({ id }) => id === was.id);
    const isTaken = change.after.some(({ name }) => name === was.name);
    if (isTaken && now?.name !== was.name) return [];
    const kept = Object.values(now?.labels ?? {});
    const labels = Object.entries(was.labels ?? {}).flatMap(([oid, label]) => {
      const today = now?.labels?.[oid];
      return today === undefined || kept.includes(label) ? [] : [[label, today] as const];
    });
    return [{ from: was.name, to: now?.name, labels: Object.fromEntries(labels) }];
  });
  return moved(row, moves);
}

/**
 * The names that an override's `state` speaks: those that the install left which raised its event's version, in every
 * table.
 */
export class HandlerNames {
  constructor(private readonly change: SchemaChange | undefined) {}

  /** What an override wrote, under today's names. */
  toToday({ history, columnNames }: FoldTable, row: Row): Row {
    if (history === undefined) return row;
    const era = this.#eraOf(history);
    if (era !== undefined) {
      const spoken = era === 0 ? row : spokenAfter(history.changes[era - 1], row);
      return moved(spoken, history.moves(era, history.installed(era)));
    }
    const moves = Object.keys(row)
      .filter((name) => !columnNames.includes(name))
      .flatMap((name): Move[] => {
        const was = history.changes
          .map(({ before }) => before.find((column) => column.name === name))
          .findLast((column) => column !== undefined);
        const now = history.now.find(({ id }) => id === was?.id);
        return was === undefined ? [] : [{ from: name, to: now?.name, labels: {} }];
      });
    return moved(row, moves);
  }

  /** A record as an override reads it. */
  fromToday({ history }: FoldTable, row: Row): Row {
    const era = history === undefined ? undefined : this.#eraOf(history);
    if (history === undefined || era === undefined) return row;
    const moves = history.now.flatMap(({ id, name }): Move[] => {
      const spoken = history.installed(era).find((column) => column.id === id)?.name ?? name;
      return spoken === name ? [] : [{ from: name, to: spoken, labels: {} }];
    });
    return moved(row, moves);
  }

  /** The era of a table that began with the install. */
  #eraOf({ changes }: SchemaHistory): number | undefined {
    const { change } = this;
    if (change === undefined) return undefined;
    const later = changes.findIndex(({ install }) => install > change.install);
    return later === -1 ? changes.length : later;
  }
}
