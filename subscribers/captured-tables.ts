import type { DataSource, EntityMetadata } from "typeorm";
import { quoteIdentifier } from "../src/core/sql.js";
import { tableNames } from "../src/log/entity-parts.js";
import { type TrackedTable, trackedTables } from "../src/log/tracked-tables.js";

/** Rows that the database writes by itself when a row that they refer to goes. */
export interface Cascade {
  /** The tracked tables that it may reach, by entity. */
  readonly entities: readonly string[];
  /** The table of the rows, quoted. */
  readonly child: string;
  /** Its columns and those that they refer to, quoted. */
  readonly columns: readonly (readonly [child: string, parent: string])[];
  /** The child's own key where it is the same table, so that rows which go anyway do not count. */
  readonly ownKey: readonly string[];
}

/** Rows that the database changes by itself when the columns change that they refer to. */
export interface Follower {
  /** The columns that they refer to, by name. */
  readonly columns: readonly string[];
  /** The tracked tables that it may reach, by entity. */
  readonly entities: readonly string[];
}

/** What subscriber capture has to know of a table by its name. */
export interface CapturedTable {
  /** Undefined for a table that is not tracked, but from which deletes reach tracked ones. */
  readonly tracked: TrackedTable | undefined;
  readonly cascades: readonly Cascade[];
  readonly followers: readonly Follower[];
  /** The tracked tables, by entity, that TRUNCATE … CASCADE empties with it. */
  readonly truncated: readonly string[];
}

export interface CapturedTables {
  readonly byName: ReadonlyMap<string, CapturedTable>;
  /** By TypeORM's path, of which one table may have two: with its schema, and without. */
  readonly byPath: ReadonlyMap<string, TrackedTable>;
}

const cache = new WeakMap<readonly TrackedTable[], CapturedTables>();

/** The tracked tables by the names that SQL may call them, and the tables from which declared cascades reach them. */
export function capturedTables(dataSource: DataSource): CapturedTables {
  const tables = trackedTables(dataSource);
  const known = cache.get(tables);
  if (known !== undefined) return known;
  const tracked = new Map(tables.map((table) => [table.tableName, table]));
  const byPath = new Map<string, TrackedTable>();
  const all = referringTables(dataSource, () => true);
  const referring = referringTables(dataSource, ({ onDelete }) => cascading.includes(onDelete ?? ""));
  const following = referringTables(dataSource, ({ onUpdate }) => cascading.includes(onUpdate ?? ""));
  const byName = new Map<string, CapturedTable>();
  for (const metadata of dataSource.entityMetadatas) {
    const { tableName, path } = tableNames(dataSource, metadata);
    const table = tracked.get(tableName);
    if (table !== undefined) byPath.set(metadata.tablePath, table);
    const cascades = cascadesFrom(metadata, tableName, referring, tracked);
    const followers = followersOf(tableName, following, tracked);
    const truncated = [...new Set(reached(tableName, all, tracked, () => true))];
    if (table === undefined && cascades.length === 0 && truncated.length === 0) continue;
    for (const name of [path[1], path.join(".")]) byName.set(name, { tracked: table, cascades, followers, truncated });
  }
  const made = { byName, byPath };
  cache.set(tables, made);
  return made;
}

type ForeignKey = EntityMetadata["foreignKeys"][number];

/** A foreign key, with the table that has it. */
interface Referral {
  readonly tableName: string;
  readonly sqlName: string;
  readonly foreignKey: ForeignKey;
}

type Referring = ReadonlyMap<string, readonly Referral[]>;

const cascading = ["CASCADE", "SET NULL", "SET DEFAULT"];

/** Foreign keys by the table that they refer to. */
function referringTables(dataSource: DataSource, isMeant: (foreignKey: ForeignKey) => boolean): Referring {
  const referring = new Map<string, Referral[]>();
  for (const metadata of dataSource.entityMetadatas) {
    for (const foreignKey of metadata.foreignKeys.filter(isMeant)) {
      const { tableName } = tableNames(dataSource, foreignKey.referencedEntityMetadata);
      const referral = { ...tableNames(dataSource, metadata), foreignKey };
      referring.set(tableName, [...(referring.get(tableName) ?? []), referral]);
    }
  }
  return referring;
}

/** The tracked tables that refer to a table, and those that refer to these as far as rows go on. */
function reached(
  tableName: string,
  referring: Referring,
  tracked: ReadonlyMap<string, TrackedTable>,
  goesOn: (foreignKey: ForeignKey) => boolean,
  seen: ReadonlySet<string> = new Set([tableName]),
): string[] {
  return (referring.get(tableName) ?? []).flatMap(({ tableName: child, foreignKey }) => {
    const own = tracked.get(child)?.entity ?? [];
    if (!goesOn(foreignKey) || seen.has(child)) return own;
    return [own, reached(child, referring, tracked, goesOn, new Set([...seen, child]))].flat();
  });
}

/** A table that is mapped twice has each of its foreign keys twice: that is one cascade. */
function cascadesFrom(
  metadata: EntityMetadata,
  tableName: string,
  referring: Referring,
  tracked: ReadonlyMap<string, TrackedTable>,
): Cascade[] {
  const cascades = (referring.get(tableName) ?? []).map(({ tableName: child, sqlName, foreignKey }): Cascade => {
    const own = tracked.get(child)?.entity ?? [];
    const deletes = (key: ForeignKey) => key.onDelete === "CASCADE";
    const further = deletes(foreignKey) ? reached(child, referring, tracked, deletes) : [];
    return {
      entities: [...new Set([own, further].flat())],
      child: sqlName,
      columns: foreignKey.columns.map((column, index) => [
        quoteIdentifier(column.databaseName),
        quoteIdentifier(foreignKey.referencedColumns[index]?.databaseName ?? ""),
      ]),
      ownKey: child === tableName ? metadata.primaryColumns.map((column) => quoteIdentifier(column.databaseName)) : [],
    };
  });
  const different = new Map(cascades.map((cascade) => [JSON.stringify(cascade), cascade]));
  return [...different.values()].filter(({ entities }) => entities.length > 0);
}

function followersOf(
  tableName: string,
  following: Referring,
  tracked: ReadonlyMap<string, TrackedTable>,
): readonly Follower[] {
  const followers = (following.get(tableName) ?? []).map(({ tableName: child, foreignKey }) => ({
    columns: foreignKey.referencedColumns.map(({ databaseName }) => databaseName),
    entities: [tracked.get(child)?.entity ?? [], reached(child, following, tracked, () => true)].flat(),
  }));
  return followers.filter(({ entities }) => entities.length > 0);
}
