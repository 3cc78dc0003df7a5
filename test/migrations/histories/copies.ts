import type pg from "pg";
import { type ChangeStep, type Excuse, type Names, notedOther, type OnCopies, type Other } from "./change.js";
import { sqlOf } from "./column-types.js";
import { expressionOf, liveName, type Model, type Table } from "./model.js";
import { noteRecordsOf } from "./lives.js";
import { listed, quoted } from "./quoted.js";
import type { RightTexts } from "./row-differences.js";

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
  /** Other values that are right as well. */
  readonly others: readonly (Other & Names)[];
  readonly excuses: readonly Excuse[];
}

/** The oracle: plain SQL on plain tables; nothing of the library takes part. */
export class Copies {
  /** Replaced as a whole, so that who takes a transaction back can put back what was there. */
  all: readonly Copy[] = [];
  #nextOther = 0;
  /** The columns that the last install knew. */
  #known = new Set<number>();
  /** Tables, until the next install, whose records have other keys, and those that are others themselves. */
  readonly #unwitnessed = new Set<number>();
  readonly #rekeyed = new Set<number>();
  readonly #madeAgain = new Set<number>();
  readonly #excuses = new Set<Excuse>();

  get bookmarks(): string[] {
    return [...new Set(this.all.map(({ bookmark }) => bookmark))];
  }

  /** Copies all tables in one snapshot. */
  async take(client: pg.Client, bookmark: string, model: Model, excuses: readonly Excuse[] = []): Promise<void> {
    await client.query("begin isolation level repeatable read");
    for (const table of model.tables) {
      const name = `scratch.${quoted(`${bookmark}_${table.id}`)}`;
      await client.query(`create table ${name} (like ${liveName(table)} including generated)`);
      for (const column of table.columns)
        await client.query(`alter table ${name} alter column ${quoted(column.name)} drop not null`);
      const columns = listed(table.columns.filter(({ generated }) => generated === null).map((column) => column.name));
      await client.query(`insert into ${name} (${columns}) select ${columns} from ${liveName(table)}`);
      await client.query("insert into scratch.taken select $1, max(id) from scratch.deaths", [name]);
      const had = table.columns.map(({ id }) => id);
      this.all = [
        ...this.all,
        { bookmark, tableId: table.id, name, had, lost: [], others: [], excuses: [...excuses, ...this.#excuses] },
      ];
      for (const { id, type } of table.columns.filter((column) => !this.#known.has(column.id))) {
        const sql = (copy: string, names: Names) => notedOther(copy, names, sqlOf(type), "null", "false");
        await this.#change(client, this.#named(name), {
          tableId: table.id,
          sql,
          other: { id, type, isOfWindow: true },
        });
      }
    }
    await client.query("commit");
  }

  /** Does to the copies, within the same transaction, what the statement did to their table. */
  async follow(client: pg.Client, { onCopies = [], after }: ChangeStep): Promise<void> {
    const columns = idsOf(after);
    for (const { name } of this.all) {
      const before = this.#named(name).others;
      for (const change of onCopies.filter(({ tableId }) => tableId === this.#named(name).tableId)) {
        if (this.#named(name).had.includes(change.unlessHad ?? -1)) continue;
        await this.#change(client, this.#named(name), change);
        if (change.others !== undefined) await this.#changeOthers(client, name, before, change.others);
      }
      for (const other of this.#named(name).others) if (!columns.has(other.id)) await this.#forget(client, name, other);
    }
  }

  async #change(client: pg.Client, copy: Copy, { sql, otherwise, other }: OnCopies): Promise<void> {
    if (other?.ifAdded === true && this.#known.has(other.id)) return;
    const names = { value: `other_${this.#nextOther}`, is: `is_other_${this.#nextOther++}` };
    if (await tried(client, sql(copy.name, names), { isOptional: otherwise !== undefined || other !== undefined })) {
      if (other === undefined) return;
      const onceRewritten = other.onceRewritten === true && !this.#madeAgain.has(copy.tableId);
      this.#replace(copy, { others: [...copy.others, { ...other, ...names, onceRewritten }] });
      if (other.isOfWindow === true && this.#unwitnessed.has(copy.tableId))
        await client.query(`update ${copy.name} set ${names.is} = true`);
    } else if (otherwise !== undefined) {
      const { column, lost } = otherwise;
      const text = `c.${quoted(column)}::text`;
      await client.query(notedOther(copy.name, names, "text", text, `${text} is not null`));
      await client.query(otherwise.sql(copy.name));
      const other: Other = { id: lost, type: "text", isLost: true };
      this.#replace(copy, { lost: [...copy.lost, lost], others: [...copy.others, { ...other, ...names }] });
    }
  }

  async #changeOthers(
    client: pg.Client,
    name: string,
    before: Copy["others"],
    { id, type, sql, areTexts = false }: NonNullable<OnCopies["others"]>,
  ): Promise<void> {
    for (const other of before.filter((one) => one.id === id && isText(one) === areTexts)) {
      if (await tried(client, sql(name, other.value), { isOptional: true })) {
        const { others } = this.#named(name);
        this.#replace(this.#named(name), { others: others.map((one) => (one === other ? { ...one, type } : one)) });
      } else await this.#forget(client, name, other);
    }
  }

  async #forget(client: pg.Client, name: string, other: Copy["others"][number]): Promise<void> {
    await client.query(`alter table ${name} drop column ${other.value}, drop column ${other.is}`);
    const { others } = this.#named(name);
    this.#replace(this.#named(name), { others: others.filter(({ value }) => value !== other.value) });
  }

  #named(name: string): Copy {
    return this.all.find((copy) => copy.name === name) as Copy;
  }

  /** The table has other files: what it was given before the next install is not known to be so. */
  rewritten(tableId: number): void {
    for (const copy of this.all) {
      if (copy.tableId !== tableId) continue;
      this.#replace(copy, { others: copy.others.map((other) => ({ ...other, onceRewritten: false })) });
    }
  }

  madeAgain(tableId: number): void {
    this.#madeAgain.add(tableId);
  }

  /**
   * Records have other keys: those of the copies have ended, and so will those of copies that are yet to be taken when
   * the next install learns of it.
   */
  async rekeyed(client: pg.Client, table: Table): Promise<void> {
    this.#rekeyed.add(table.id);
    await this.#endRecords(client, table);
  }

  async #endRecords(client: pg.Client, table: Table): Promise<void> {
    for (const { name } of this.all.filter(({ tableId }) => tableId === table.id))
      await noteRecordsOf(client, table, name);
  }

  /** No row is left of which the log could learn what became of a record. */
  async unwitnessed(client: pg.Client, tableId: number): Promise<void> {
    this.#unwitnessed.add(tableId);
    for (const { name, others } of this.all.filter((copy) => copy.tableId === tableId))
      for (const { is, isOfWindow } of others)
        if (isOfWindow === true) await client.query(`update ${name} set ${is} = true`);
  }

  /** What the catalog told until then, the log knows. */
  async installed(client: pg.Client, model: Model): Promise<void> {
    this.#known = idsOf(model);
    for (const { name, others } of this.all)
      for (const other of others) if (other.onceRewritten === true) await this.#forget(client, name, other);
    for (const table of model.tables) if (this.#rekeyed.has(table.id)) await this.#endRecords(client, table);
    this.#rekeyed.clear();
    this.#unwitnessed.clear();
    this.#madeAgain.clear();
    this.#excuses.clear();
    this.all = this.all.map((copy) => ({
      ...copy,
      others: copy.others.map((other) => ({ ...other, isOfWindow: false })),
    }));
  }

  /** For copies that there are, and those that are taken before the next install. */
  excuse(excuse: Excuse): void {
    this.#excuses.add(excuse);
    for (const copy of this.all) this.#replace(copy, { excuses: [...copy.excuses, excuse] });
  }

  /** The copy's rows as rowsOf gives them, in the columns of today. */
  rows(client: pg.Client, copy: Copy, table: Table) {
    const columns = table.columns.map(({ name, role }) =>
      role === "excluded" ? `null as ${quoted(name)}` : quoted(name),
    );
    return rowsOf(client, `select ${columns.join(", ")} from ${copy.name}`, table);
  }

  /** For each row and column of today the texts that are right. */
  async rightTexts(client: pg.Client, copy: Copy, table: Table): Promise<RightTexts[]> {
    const columns = table.columns.map(({ id, name, role, type, generated }) => {
      if (role === "excluded") return "'[null]'::jsonb";
      const own = `c.${quoted(name)}::text`;
      const others = copy.others.filter(
        (other) =>
          other.id === id && (isText(other) || sqlOf(other.type) === sqlOf(type)) && other.onceRewritten !== true,
      );
      if (generated !== null) {
        const base = quoted(table.columns.find((column) => column.id === generated.from)?.name ?? "");
        const made = (of: string) =>
          expressionOf(table, generated).replaceAll(base, () => (generated.how === "double" ? `${of}::numeric` : of));
        const bases = copy.others.filter(({ id }) => id === generated.from);
        const lost = bases.filter(({ isLost }) => isLost).map(({ is }) => `c.${is}`);
        // Of a lost value the expression makes what it makes of its text, if a later type takes that.
        const isAble =
          generated.how === "double"
            ? (value: string) => ` and (c.${value} is null or c.${value}::text ~ '^[-0-9.]+$')`
            : () => "";
        return [
          `case when ${["false", ...lost].join(" or ")} then '[]' else jsonb_build_array(${own}) end`,
          ...bases.map(
            ({ value, is }) =>
              `case when c.${is}${isAble(value)} then jsonb_build_array((${made(`c.${value}`)})::text) else '[]' end`,
          ),
        ].join(" || ");
      }
      const lost = others.filter(({ isLost }) => isLost).map(({ is }) => `c.${is}`);
      return [
        `case when ${["false", ...lost].join(" or ")} then '[]' else jsonb_build_array(${own}) end`,
        ...others.map(({ value, is }) => `case when c.${is} then jsonb_build_array(c.${value}::text) else '[]' end`),
      ].join(" || ");
    });
    const { rows } = await client.query<{ texts: RightTexts }>(
      `select jsonb_build_array(${columns.join(", ")}) as texts from ${copy.name} c`,
    );
    return rows.map(({ texts }) => texts);
  }

  #replace(copy: Copy, more: Partial<Copy>): void {
    this.all = this.all.map((other) => (other.name === copy.name ? { ...other, ...more } : other));
  }
}

const isText = (other: Other) => other.isText === true || other.isLost === true;

/** Rows as canonical jsonb and, because jsonb holds 1.0 and 1.00 for equal, as the text of each column. */
export async function rowsOf(client: pg.Client, query: string, { columns }: Table): Promise<string[]> {
  const texts = columns.map(({ name }) => `r.${quoted(name)}::text`).join(", ");
  const { rows } = await client.query<{ row: string }>(
    `select jsonb_build_array(to_jsonb(r.*), array[${texts}])::text as row from (${query}) r order by 1`,
  );
  return rows.map(({ row }) => row);
}

function idsOf({ tables }: Model): Set<number> {
  return new Set(tables.flatMap(({ columns }) => columns.map(({ id }) => id)));
}

/** Whether a statement could be run. One that is not optional is not refused. */
async function tried(client: pg.Client, sql: string, { isOptional }: { isOptional: boolean }): Promise<boolean> {
  if (isOptional) await client.query("savepoint copy");
  try {
    await client.query(sql);
    return true;
  } catch (error) {
    if (!isOptional) throw error;
    await client.query("rollback to savepoint copy");
    return false;
  }
}
