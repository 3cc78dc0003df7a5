import type { DataSource, EntityMetadata } from "typeorm";
import { quoteIdentifier } from "../core/sql.js";

export type ColumnMetadata = EntityMetadata["columns"][number];

/** A table that TypeORM keeps for an entity: the junction of one of its relations, or its closure table. */
export interface OwnedTable {
  readonly metadata: EntityMetadata;
  readonly owner: EntityMetadata;
  /** The relation's path, or "closure". */
  readonly property: string;
}

/** How the log names a table, schema-qualified and quoted only if it has to be; and how SQL does, always quoted. */
export function tableNames(dataSource: DataSource, metadata: EntityMetadata): { tableName: string; sqlName: string } {
  const path = [metadata.schema ?? (dataSource.driver as { schema?: string }).schema ?? "public", metadata.tableName];
  return {
    tableName: path.map((name) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name))).join("."),
    sqlName: path.map(quoteIdentifier).join("."),
  };
}

/** The children under single-table inheritance, theirs too; not the entities that extend it and have tables of their own. */
export function childrenOf(metadata: EntityMetadata): readonly EntityMetadata[] {
  return metadata.childEntityMetadatas.filter((child) => child.parentEntityMetadata === metadata);
}

/**
 * Whose a junction or closure table is. A junction is asked for its relation: where both sides of a relation have a join
 * table, each of the two relations knows only the second of them.
 */
export function ownedTable(metadata: EntityMetadata): OwnedTable | undefined {
  if (!metadata.isJunction) return undefined;
  const { parentClosureEntityMetadata: tree, ownerColumns } = metadata;
  if (metadata.isClosureJunction)
    return {
      metadata,
      owner: tree.tableType === "entity-child" ? tree.parentEntityMetadata : tree,
      property: "closure",
    };
  const relation = ownerColumns[0]?.relationMetadata;
  return relation && { metadata, owner: relation.entityMetadata, property: relation.propertyPath };
}

/**
 * The columns of a property: one, or several of an embedded object or of a relation by a composite key. A property inside
 * of an embedded object is named by its path, "address.street"; its bare name means that of every embedded object.
 */
export function columnsAt({ columns, relations }: EntityMetadata, property: string): readonly string[] {
  const isAt = ({ propertyPath }: { propertyPath: string }) =>
    propertyPath === property || propertyPath.startsWith(`${property}.`);
  const referring = relations.filter((relation) => relation.isWithJoinColumn && isAt(relation));
  const found = [...columns.filter(isAt), ...referring.flatMap(({ joinColumns }) => joinColumns)];
  const meant = found.length > 0 ? found : columns.filter(({ propertyName }) => propertyName === property);
  return [...new Set(meant.map(({ databaseName }) => databaseName))];
}
