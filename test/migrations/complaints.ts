import { situations } from "./kind.js";

/** What is wrong, in sentences, by the table that it is wrong with. */
export class Complaints {
  readonly #byTable = new Map<string, string[]>(situations.map(({ table }) => [table, []]));

  of(table: string): readonly string[] {
    return this.#byTable.get(table) ?? [];
  }

  add(table: string, ...complaints: readonly string[]): void {
    this.#byTable.get(table)?.push(...complaints);
  }

  /** Something that is wrong with the database as a whole is wrong with every table. */
  addToAll(...complaints: readonly string[]): void {
    for (const table of this.#byTable.keys()) this.add(table, ...complaints);
  }
}
