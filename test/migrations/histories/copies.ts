import type pg from "pg";
import { type ChangeStep, type Excuse, type Other, otherName } from "./change.js";
import { sqlOf } from "./column-types.js";
import { liveName, type Model, type Table } from "./model.js";
import { listed, quoted } from "./quoted.js";

/** The rows of one table as they were at a bookmark. Each DDL statement after it is applied to them too. */
export interface Copy {
  readonly bookmark: string;
  readonly tableId: number;
  /** For SQL text. */
  readonly name: string;
  /** The columns that the table had. */
  readonly had: readonly number[];
  /** Columns whose values the copy could not bring to another type. */
  readonly lost: readonly number[];
  /** Columns of which other values are right as well. */
  readonly others: readonly Other[];
  readonly excuses: readonly Excuse[];
}

/** The oracle: plain SQL on plain tables; nothing of the library takes part. */
export class Copies {
  /** Replaced as a whole, so that who takes a transaction back can put back what was there. */
  all: readonly Copy[] = [];

  get bookmarks(): string[] {
    return [...new Set(this.all.map(({ bookmark }) => bookmark))];
  }

  /** Copies all tables in one snapshot. */
  async take(client: pg.Client, bookmark: string, model: Model): Promise<void> {
    await client.query("begin isolation level repeatable read");
    for (const table of model.tables) {
      const name = `scratch.${quoted(`${bookmark}_${table.id}`)}`;
      await client.query(`create table ${name} (like ${liveName(table)} including generated)`);
      for (const column of table.columns)
        await client.query(`alter table ${name} alter column ${quoted(column.name)} drop not null`);
      const columns = listed(table.columns.filter(({ generated }) => generated === null).map((column) => column.name));
      await client.query(`insert into ${name} (${columns}) select ${columns} from ${liveName(table)}`);
      const had = table.columns.map(({ id }) => id);
      this.all = [...this.all, { bookmark, tableId: table.id, name, had, lost: [], others: [], excuses: [] }];
    }
    await client.query("commit");
  }

  /** Does to the copies, within the same transaction, what the statement did to their table. */
  async follow(client: pg.Client, { onCopies = [] }: ChangeStep): Promise<void> {
    for (const { tableId, sql, otherwise, unlessHad, other } of onCopies) {
      for (const copy of this.all) {
        if (copy.tableId !== tableId || copy.had.includes(unlessHad ?? -1)) continue;
        await client.query("savepoint copy");
        try {
          await client.query(sql(copy.name));
          if (other !== undefined) this.#replace(copy, { others: [...copy.others, other] });
        } catch (error) {
          if (otherwise === undefined) throw error;
          await client.query("rollback to savepoint copy");
          await client.query(otherwise.sql(copy.name));
          this.#replace(copy, { lost: [...copy.lost, otherwise.lost] });
        }
      }
    }
  }

  excuse(excuse: Excuse): void {
    for (const copy of this.all) this.#replace(copy, { excuses: [...copy.excuses, excuse] });
  }

  /** The copy's rows as rowsOf gives them, in the columns of today; with the other right values, if asked for. */
  rows(client: pg.Client, copy: Copy, table: Table, { values = "own" }: { values?: "own" | "other" } = {}) {
    const columns = table.columns.map(({ id, name, role, type, generated }) => {
      if (role === "excluded") return `null as ${quoted(name)}`;
      const other = copy.others.find((one) => one.id === id && sqlOf(one.type) === sqlOf(type));
      return values === "own" || generated !== null || other === undefined
        ? quoted(name)
        : `${otherName(id)} as ${quoted(name)}`;
    });
    return rowsOf(client, `select ${columns.join(", ")} from ${copy.name}`, table);
  }

  #replace(copy: Copy, more: Partial<Copy>): void {
    this.all = this.all.map((other) => (other.name === copy.name ? { ...other, ...more } : other));
  }
}

/** Rows as canonical jsonb and, because jsonb holds 1.0 and 1.00 for equal, as the text of each column. */
export async function rowsOf(client: pg.Client, query: string, { columns }: Table): Promise<string[]> {
  const texts = columns.map(({ name }) => `r.${quoted(name)}::text`).join(", ");
  const { rows } = await client.query<{ row: string }>(
    `select jsonb_build_array(to_jsonb(r.*), array[${texts}])::text as row from (${query}) r order by 1`,
  );
  return rows.map(({ row }) => row);
}
