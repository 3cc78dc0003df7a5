import type { DataSource } from "typeorm";
import { looksSecret, plainName } from "../core/secret-names.js";
import { sensitiveColumns } from "../log/sensitive-columns.js";

/** Answers for the names of one DataSource: by how they look, and by its entities' `@Sensitive` columns and `select: false`. */
export class SensitiveNames {
  readonly #included: ReadonlySet<string>;
  readonly #answers = new Map<string, boolean>();
  #columns: ReadonlySet<string> = new Set();

  constructor(includeFields: readonly string[]) {
    this.#included = new Set(includeFields.map(plainName));
  }

  /** Learns the sensitive columns, by property and by column name. */
  learn(dataSource: DataSource): void {
    const names = dataSource.entityMetadatas.flatMap(({ columns }) => {
      const sensitive = sensitiveColumns(columns);
      return columns
        .filter(({ databaseName }) => sensitive.has(databaseName))
        .flatMap(({ propertyName, databaseName }) => [plainName(propertyName), plainName(databaseName)]);
    });
    this.#columns = new Set(names);
    this.#answers.clear();
  }

  /** Whether the values under this name are kept out. */
  has(name: string): boolean {
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    const answer = !this.#included.has(plainName(name)) && this.isSensitive(name);
    if (this.#answers.size < 10_000) this.#answers.set(name, answer);
    return answer;
  }

  /** The same, whether it was let in or not. */
  isSensitive(name: string): boolean {
    return this.#columns.has(plainName(name)) || looksSecret(name);
  }
}
