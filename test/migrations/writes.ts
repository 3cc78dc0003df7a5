import pg from "pg";
import type { DataSource } from "typeorm";
import type { EntityClass } from "./entity-of.js";
import { keyIn, keyOf, type Row, type Shape, withoutKey } from "./kind.js";

/** What is done to one row. An update has the key and the columns that change. */
export type Write = readonly ["create" | "update" | "remove", Row];

/** Where rows are written: a table as one release of the application knows it. */
export interface Target {
  readonly dataSource: DataSource;
  readonly entity: EntityClass;
  readonly shape: Shape;
}

/** Writes as psql would: triggers see it, the library does not. */
export async function writeBySql(client: pg.Client, { dataSource, entity, shape }: Target, writes: readonly Write[]) {
  const { tablePath } = dataSource.getMetadata(entity);
  const table = tablePath.split(".").map(pg.escapeIdentifier).join(".");
  const list = (names: readonly string[], prefix = "") =>
    names.map((name) => prefix + pg.escapeIdentifier(name)).join(", ");
  for (const [what, row] of writes) {
    const given = `jsonb_populate_record(null::${table}, $1::jsonb) g`;
    const keys = Object.keys(keyIn(row, shape));
    const same = `(${list(keys, "t.")}) = (${list(keys, "g.")})`;
    const names = Object.keys(what === "create" ? row : withoutKey(row, shape));
    const set = names.map(pg.escapeIdentifier).map((name) => `${name} = g.${name}`);
    const statement = {
      create: `insert into ${table} (${list(names)}) select ${list(names)} from ${given}`,
      update: `update ${table} t set ${set.join(", ")} from ${given} where ${same}`,
      remove: `delete from ${table} t using ${given} where ${same}`,
    }[what];
    const { rowCount } = await client.query(statement, [JSON.stringify(row)]);
    if (rowCount !== 1) throw new Error(`${what} ${JSON.stringify(row)} on ${table} wrote ${rowCount} rows.`);
  }
}

/** Writes as an application does: subscribers see it. */
export async function writeByRepository({ dataSource, entity, shape }: Target, writes: readonly Write[]) {
  const repository = dataSource.getRepository(entity);
  for (const [what, row] of writes) {
    const given = asTypeOrmReads(row, shape);
    if (what === "remove") await repository.remove(await repository.findOneByOrFail(keyIn(given, shape)));
    else await repository.save(repository.create({ ...given }));
  }
}

/** A bigint is text to TypeORM, which would take a number for another key. */
function asTypeOrmReads(row: Row, shape: Shape): Row {
  const columns = { ...shape.columns, ...keyOf(shape) };
  const entries = Object.entries(row).map(([name, value]) => {
    const isBig = columns[name]?.type === "bigint" && typeof value === "number";
    return [name, isBig ? String(value) : value] as const;
  });
  return Object.fromEntries(entries);
}
