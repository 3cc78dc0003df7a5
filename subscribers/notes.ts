import type { MeasuredJson } from "../src/core/json.js";
import type { RequestContext } from "../src/core/request-context.js";
import type { TrackedTable } from "../src/log/tracked-tables.js";

export type Verb = "insert" | "update" | "delete";

/** Who and why, as it was when a statement was called. */
export interface NotedContext {
  readonly context: RequestContext;
  readonly json: MeasuredJson;
}

/** A statement that touched records: which, is known once the database has answered. */
export interface Touch {
  readonly table: TrackedTable;
  readonly verb: Verb;
  readonly context: NotedContext | undefined;
  /** Primary keys as JSON arrays, as the database wrote them. */
  keys: readonly string[];
}

/** What a transaction did to one record, as far as a flush has to know it. */
export interface Note {
  readonly table: TrackedTable;
  readonly key: string;
  readonly first: Verb;
  readonly last: Verb;
  readonly context: NotedContext | undefined;
}

type Shown = Map<string, Map<unknown, number>>;

/** The records that the transaction of one connection touched, and what hooks are showing at the moment. */
export class Notes {
  #touches: Touch[] = [];
  #savepoints: { readonly name: string; readonly touches: number; readonly shown: Shown }[] = [];
  /** Subjects of persistence between their hook before and their hook after, by table; several may have no entity. */
  #shown: Shown = new Map();

  /** A hook shows that a row of the table is about to be written. */
  show(table: TrackedTable, entity: unknown): void {
    const shown = this.#shown.get(table.tableName) ?? new Map<unknown, number>();
    shown.set(entity, (shown.get(entity) ?? 0) + 1);
    this.#shown.set(table.tableName, shown);
  }

  /** A hook shows that it has been written. */
  conceal(table: TrackedTable, entity: unknown): void {
    const shown = this.#shown.get(table.tableName);
    const count = shown?.get(entity) ?? 0;
    if (count > 1) shown?.set(entity, count - 1);
    else shown?.delete(entity);
  }

  isShown(table: TrackedTable): boolean {
    return (this.#shown.get(table.tableName)?.size ?? 0) > 0;
  }

  /** Takes a place among the notes for a statement that is sent now. */
  add(touch: Touch): Touch {
    this.#touches.push(touch);
    return touch;
  }

  savepoint(name: string): void {
    this.#savepoints.push({ name, touches: this.#touches.length, shown: copy(this.#shown) });
  }

  release(name: string): void {
    const at = this.#latest(name);
    if (at >= 0) this.#savepoints.length = at;
  }

  /** What was done since the savepoint has not happened; the savepoint stays. */
  rollback(name: string): void {
    const at = this.#latest(name);
    const savepoint = this.#savepoints[at];
    if (savepoint === undefined) return;
    this.#touches.length = savepoint.touches;
    this.#shown = copy(savepoint.shown);
    this.#savepoints.length = at + 1;
  }

  /** Everything noted, to be flushed; the notes are empty afterwards. */
  take(): readonly Touch[] {
    const touches = this.#touches;
    this.clear();
    return touches;
  }

  clear(): void {
    this.#touches = [];
    this.#savepoints = [];
    this.#shown = new Map();
  }

  get isEmpty(): boolean {
    return this.#touches.length === 0;
  }

  #latest(name: string): number {
    return this.#savepoints.findLastIndex((savepoint) => savepoint.name === name);
  }
}

/** One note a record, in the order in which they were touched first. */
export function notesOf(touches: readonly Touch[]): Note[] {
  const byRecord = new Map<string, Note>();
  for (const { table, verb, context, keys } of touches) {
    for (const key of keys) {
      const record = `${table.tableName} ${key}`;
      byRecord.set(record, { table, key, first: byRecord.get(record)?.first ?? verb, last: verb, context });
    }
  }
  return [...byRecord.values()];
}

function copy(shown: Shown): Shown {
  return new Map([...shown].map(([table, entities]) => [table, new Map(entities)]));
}
