import type { EntityMetadata } from "typeorm";
import { type EntityTarget, type SensitiveOptions, sensitiveOptions } from "../core/tracked.js";

type ColumnMetadata = EntityMetadata["columns"][number];

/** The columns of an entity whose values never go to the log's main table, each with its `@Sensitive` options. */
export function sensitiveColumns(columns: readonly ColumnMetadata[]): ReadonlyMap<string, SensitiveOptions> {
  return new Map(
    columns.flatMap((column) => {
      const options = sensitivityOf(column);
      return options === undefined ? [] : [[column.databaseName, options] as const];
    }),
  );
}

/**
 * Sensitive is what is marked, by itself, through the embedded object or the relation that it belongs to, or by a class that
 * shares the table; what TypeORM does not select by itself; and what refers to such a column, for it holds the same value.
 */
function sensitivityOf(column: ColumnMetadata): SensitiveOptions | undefined {
  const seen = new Set<ColumnMetadata>();
  for (let of: ColumnMetadata | undefined = column; of !== undefined && !seen.has(of); of = of.referencedColumn) {
    seen.add(of);
    for (const [type, property] of placesOf(of)) {
      const found = sensitiveOptions(type, property);
      if (found !== undefined) return found;
    }
    if (!of.isSelect) return {};
  }
  return undefined;
}

/** Every class and property that a mark for this column can stand on. */
function* placesOf(column: ColumnMetadata): Generator<readonly [EntityTarget | string, string]> {
  const { entityMetadata, relationMetadata } = column;
  let property = column.propertyName;
  for (let within = column.embeddedMetadata; within !== undefined; within = within.parentEmbeddedMetadata) {
    yield [within.type, property];
    property = within.propertyName;
  }
  for (const { target } of [column, entityMetadata, ...entityMetadata.childEntityMetadatas]) {
    yield [target, property];
    if (relationMetadata !== undefined) yield [target, relationMetadata.propertyName];
  }
}
