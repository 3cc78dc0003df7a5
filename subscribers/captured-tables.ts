import type { DataSource, EntityMetadata } from "typeorm";
import { quoteIdentifier } from "../src/core/sql.js";
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

/** What subscriber capture has to know of a table by its name. */
export interface CapturedTable {
  /** Undefined for a table that is not tracked, but from which deletes reach tracked ones. */
  readonly tracked: TrackedTable | undefined;
  readonly cascades: readonly Cascade[];
  /** The tracked tables, by entity, that TRUNCATE … CASCADE empties with it. */
  readonly truncated: readonly string[];
}

export interface CapturedTables {
  readonly byName: ReadonlyMap<string, CapturedTable>;
  readonly byPath: ReadonlyMap<string, TrackedTable>;
}

const cache = new WeakMap<readonly TrackedTable[], CapturedTables>();

/** The tracked tables by the names that SQL may call them, and the tables from which declared cascades reach them. */
export function capturedTables(dataSource: DataSource): CapturedTables {
  const tables = trackedTables(dataSource);
  const known = cache.get(tables);
  if (known !== undefined) return known;
  const byPath = new Map(tables.map((table) => [table.metadata.tablePath, table]));
  const all = referringMetadata(dataSource, () => true);
  const referring = referringMetadata(dataSource, ({ onDelete }) => cascading.includes(onDelete ?? ""));
  const byName = new Map<string, CapturedTable>();
  for (const metadata of dataSource.entityMetadatas) {
    const tracked = byPath.get(metadata.tablePath);
    const cascades = cascadesFrom(metadata, referring, byPath);
    const truncated = [...new Set(reached(metadata.tablePath, all, byPath, () => true))];
    if (tracked === undefined && cascades.length === 0 && truncated.length === 0) continue;
    const schema = metadata.schema ?? (dataSource.driver as { schema?: string }).schema ?? "public";
    for (const name of [metadata.tableName, `${schema}.${metadata.tableName}`])
      byName.set(name, { tracked, cascades, truncated });
  }
  const made = { byName, byPath };
  cache.set(tables, made);
  return made;
}

type ForeignKey = EntityMetadata["foreignKeys"][number];
type Referring = ReadonlyMap<string, readonly (readonly [EntityMetadata, ForeignKey])[]>;

const cascading = ["CASCADE", "SET NULL", "SET DEFAULT"];

/** Foreign keys, with the tables that have them, by the table that they refer to. */
function referringMetadata(dataSource: DataSource, isMeant: (foreignKey: ForeignKey) => boolean): Referring {
  const referring = new Map<string, [EntityMetadata, ForeignKey][]>();
  for (const metadata of dataSource.entityMetadatas) {
    for (const foreignKey of metadata.foreignKeys.filter(isMeant)) {
      const path = foreignKey.referencedEntityMetadata.tablePath;
      referring.set(path, [...(referring.get(path) ?? []), [metadata, foreignKey]]);
    }
  }
  return referring;
}

/** The tracked tables that refer to a table, and those that refer to these as far as rows go on. */
function reached(
  path: string,
  referring: Referring,
  tracked: ReadonlyMap<string, TrackedTable>,
  goesOn: (foreignKey: ForeignKey) => boolean,
  seen: ReadonlySet<string> = new Set([path]),
): string[] {
  return (referring.get(path) ?? []).flatMap(([child, foreignKey]) => {
    const own = tracked.get(child.tablePath)?.entity ?? [];
    if (!goesOn(foreignKey) || seen.has(child.tablePath)) return own;
    return [own, reached(child.tablePath, referring, tracked, goesOn, new Set([...seen, child.tablePath]))].flat();
  });
}

function cascadesFrom(
  metadata: EntityMetadata,
  referring: Referring,
  tracked: ReadonlyMap<string, TrackedTable>,
): Cascade[] {
  const cascades = (referring.get(metadata.tablePath) ?? []).map(([child, foreignKey]): Cascade => {
    const own = tracked.get(child.tablePath)?.entity ?? [];
    const deletes = (key: ForeignKey) => key.onDelete === "CASCADE";
    const further = deletes(foreignKey) ? reached(child.tablePath, referring, tracked, deletes) : [];
    return {
      entities: [...new Set([own, further].flat())],
      child: child.tablePath.split(".").map(quoteIdentifier).join("."),
      columns: foreignKey.columns.map((column, index) => [
        quoteIdentifier(column.databaseName),
        quoteIdentifier(foreignKey.referencedColumns[index]?.databaseName ?? ""),
      ]),
      ownKey:
        child.tablePath === metadata.tablePath
          ? metadata.primaryColumns.map((column) => quoteIdentifier(column.databaseName))
          : [],
    };
  });
  return cascades.filter(({ entities }) => entities.length > 0);
}
