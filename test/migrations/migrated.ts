import pg from "pg";
import { type Capture, eventLog } from "../../src/index.js";
import type { TestDatabase } from "../database.js";
import { newDataSource } from "../tracked-application.js";
import { entityOf } from "./entity-of.js";
import { forTable, keyIn, type Kind, type Row, type Shape, type Situation, situations, withoutKey } from "./kind.js";
import { entityIn, type Release } from "./release.js";
import { rowsOf } from "./rows.js";
import { type Target, type Write, writeByRepository, writeBySql } from "./writes.js";

export const bookmark = "before the migration";

/** A database that a kind of migration is run on, with a table for each situation. */
export class Migrated {
  readonly #releases: Release[] = [];

  private constructor(
    readonly kind: Kind,
    readonly capture: Capture,
    readonly url: string,
    /** A connection that the library knows nothing of. */
    readonly client: pg.Client,
  ) {}

  /** Begins on a database that earlier kinds may have used: emptying it is far cheaper than making one. */
  static async start(kind: Kind, capture: Capture, { url }: TestDatabase): Promise<Migrated> {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    await client.query(`
      set timezone = 'UTC'; set client_min_messages = 'error';
      drop schema if exists chronicle, chronicle_shadow, archive, public cascade;
      create schema public`);
    return new Migrated(kind, capture, url, client);
  }

  async stop(): Promise<void> {
    for (const { dataSource } of this.#releases) if (dataSource.isInitialized) await dataSource.destroy();
    await this.client.end();
  }

  /** Makes the tables of the old shape, the log, rows and the bookmark, and writes on. */
  async before(): Promise<Release> {
    const { kind } = this;
    for (const { table } of situations)
      for (const statement of kind.create ?? []) await this.client.query(forTable(statement, table));
    const release = await this.#release(kind.before, { synchronize: kind.create === undefined });
    await release.log.install();
    const withRows = situations.filter(({ rowsBefore }) => rowsBefore);
    const writes = (list: readonly Write[]) => this.#write(release, kind.before, withRows, list);
    await writes(kind.rows.map((row) => ["create", row]));
    await release.log.bookmark(bookmark);
    const [first, second, third] = kind.rows;
    if (!kind.isQuiet) {
      const edit = kind.edit ?? withoutKey(second, kind.before);
      await writes([
        ["update", { ...keyIn(first, kind.before), ...edit }],
        ["remove", keyIn(third, kind.before)],
      ]);
    }
    return release;
  }

  /** Runs the DDL on every table; returns the rows right after it. */
  async migrate(): Promise<ReadonlyMap<string, readonly Row[]>> {
    for (const { table } of situations)
      for (const statement of this.kind.migration) await this.client.query(forTable(statement, table));
    return this.liveRows();
  }

  /** The next release, whose classes have the new shape. */
  async after(): Promise<Release> {
    return this.#release(this.kind.after);
  }

  async writeBetween(release: Release): Promise<void> {
    const chosen = situations.filter(({ writesBetween }) => writesBetween);
    const [first] = this.kind.fresh;
    const [, second] = this.kind.rows;
    await this.#write(release, this.kind.after, chosen, [["create", first], this.#update(second, first)]);
  }

  async writeAfter(release: Release): Promise<void> {
    const { fresh, rows } = this.kind;
    for (const situation of situations.filter(({ writesAfter }) => writesAfter)) {
      const onOld: Write[] = situation.rowsBefore
        ? [this.#update(rows[0], fresh[1]), ["remove", keyIn(this.keyAfter(rows[1]), this.kind.after)]]
        : [];
      await this.#write(release, this.kind.after, [situation], [["create", fresh[1]], ...onOld]);
    }
  }

  /** The key that a row of the old shape has today. */
  keyAfter(row: Row): Row {
    return keyIn(this.kind.keyAfter?.(row) ?? row, this.kind.after);
  }

  /** Each table's rows, by situation. */
  async liveRows(): Promise<ReadonlyMap<string, readonly Row[]>> {
    const { schema = "public", table = "$t" } = this.kind.after;
    const rows = new Map<string, readonly Row[]>();
    for (const { table: name } of situations)
      rows.set(name, await rowsOf(this.client, `${schema}.${forTable(table, name)}`));
    return rows;
  }

  #update(row: Row, values: Row): Write {
    return ["update", { ...this.keyAfter(row), ...withoutKey(values, this.kind.after) }];
  }

  async #release(shape: Shape, { synchronize = false } = {}): Promise<Release> {
    const entities = new Map(situations.map(({ table }) => [table, entityOf(shape, table)]));
    const log = this.capture === "subscriber" ? { capture: this.capture, uncaptured: "error" as const } : {};
    const dataSource = newDataSource(this.url, [...entities.values()], { synchronize }, log);
    this.#releases.push({ dataSource, log: eventLog(dataSource), entities });
    await dataSource.initialize();
    return this.#releases.at(-1) as Release;
  }

  /** Under subscriber capture an application writes; else psql does, which triggers see as well. */
  async #write(release: Release, shape: Shape, chosen: readonly Situation[], writes: readonly Write[]): Promise<void> {
    for (const { table } of chosen) {
      const entity = entityIn(release.entities, table);
      const target: Target = { dataSource: release.dataSource, entity, shape };
      if (this.capture === "trigger") await writeBySql(this.client, target, writes);
      else await writeByRepository(target, writes);
    }
  }
}
