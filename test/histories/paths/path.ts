import type { EntityManager } from "typeorm";
import type { Sample } from "../entities.js";

/** What a write is made of: a path, and the values it uses. Plain data, so that a history can be printed, shrunk and run again. */
export interface Write {
  readonly path: string;
  /** Which of the rows that are there are written: taken modulo their number. */
  readonly picks: readonly [number, number, number];
  readonly text: string | null;
  readonly number: number;
  readonly sample: SampleValues;
}

export type SampleValues = Omit<Sample, "id" | "bytes"> & { readonly bytes: string | null };

/** Where a write is made: an application's manager, in a transaction or not. */
export interface Hand {
  readonly manager: EntityManager;
  readonly release: 1 | 2;
}

/** Makes a write. One that finds no row to write does nothing. */
export type Path = (hand: Hand, write: Write) => Promise<unknown>;
export type Paths = Readonly<Record<string, Path>>;

/** The keys of some of a table's rows, in an order that a second run of the history finds again. */
export async function keysOf<Key extends object>(
  { manager }: Hand,
  table: string,
  columns: readonly string[],
  picks: readonly number[],
): Promise<Key[]> {
  const list = columns.map((column) => `"${column}"`).join(", ");
  const rows = await manager.query<Key[]>(`select ${list} from "${table}" order by ${list}`);
  const indexes = new Set(picks.map((pick) => pick % Math.max(rows.length, 1)));
  return [...indexes].flatMap((index) => rows[index] ?? []);
}

/** The one id of each of some rows. */
export async function idsOf(hand: Hand, table: string, picks: readonly number[]): Promise<number[]> {
  return (await keysOf<{ id: number }>(hand, table, ["id"], picks)).map(({ id }) => id);
}
