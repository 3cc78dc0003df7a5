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

/** What a table is called. */
export interface TableNames {
  /** How the log names it: schema-qualified, quoted only where the name is not simple. */
  readonly tableName: string;
  /** The same for SQL text, always quoted. */
  readonly sqlName: string;
  /** Schema and name, as they are. */
  readonly path: readonly [schema: string, name: string];
}

/** As TypeORM reads its paths: a dot in the name that an entity gives is one between schema and name. */
export function tableNames(dataSource: DataSource, { tablePath }: EntityMetadata): TableNames {
  const [name = "", schema = (dataSource.driver as { schema?: string }).schema ?? "public"] = tablePath
    .split(".")
    .toReversed();
  const path = [schema, name] as const;
  return {
    tableName: path.map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteIdentifier(part))).join("."),
    sqlName: path.map(quoteIdentifier).join("."),
    path,
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
