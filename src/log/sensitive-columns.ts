import { type EntityTarget, type SensitiveOptions, sensitiveOptions } from "../core/tracked.js";
import { childrenOf, type ColumnMetadata } from "./entity-parts.js";

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
  let properties = [column.propertyName, ...(relationMetadata === undefined ? [] : [relationMetadata.propertyName])];
  for (let within = column.embeddedMetadata; within !== undefined; within = within.parentEmbeddedMetadata) {
    for (const property of properties) yield [within.type, property];
    properties = [within.propertyName];
  }
  for (const { target } of [column, entityMetadata, ...childrenOf(entityMetadata)])
    for (const property of properties) yield [target, property];
}
