/** A kind of write that subscriber capture could not record. */
export interface UncapturedWrite {
  /** The statement without its values. */
  readonly shape: string;
  /** The tracked tables that it may have written. */
  readonly tables: readonly string[];
  /** How often it was sent, or refused. */
  readonly count: number;
}

/** More shapes than this share a last one: SQL that is put together with values in it would grow without end. */
const mostShapes = 1_000;
const otherShapes = "(other statements)";

/** The writes that a DataSource's subscriber capture could not record, counted by shape. */
export class UncapturedWrites {
  readonly #counts = new Map<string, { tables: Set<string>; count: number }>();

  /** Counts one; returns whether it is the first of its shape. */
  add(shape: string, tables: readonly string[]): boolean {
    const kept = this.#counts.has(shape) || this.#counts.size < mostShapes ? shape : otherShapes;
    const known = this.#counts.get(kept);
    const entry = known ?? { tables: new Set<string>(), count: 0 };
    for (const table of tables) entry.tables.add(table);
    entry.count++;
    this.#counts.set(kept, entry);
    return known === undefined;
  }

  list(): UncapturedWrite[] {
    return [...this.#counts].map(([shape, { tables, count }]) => ({ shape, tables: [...tables].toSorted(), count }));
  }
}
