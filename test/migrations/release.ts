import type { DataSource } from "typeorm";
import type { EventLog } from "../../src/index.js";
import type { EntityClass } from "./entity-of.js";
import { keyOf, type Shape } from "./kind.js";

/** One release of an application: its entities by the tables of the situations. */
export interface Release {
  readonly dataSource: DataSource;
  readonly log: EventLog;
  readonly entities: ReadonlyMap<string, EntityClass>;
}

/** The columns of a shape that a write may set and a replay brings back. */
export function ordinaryColumns(shape: Shape): string[] {
  const isOrdinary = ([, options]: readonly [string, Shape["columns"][string]]) => options.asExpression === undefined;
  return Object.entries({ ...keyOf(shape), ...shape.columns })
    .filter(isOrdinary)
    .map(([name]) => name);
}

/** The class of a table of a situation. */
export function entityIn(entities: Release["entities"], table: string): EntityClass {
  const entity = entities.get(table);
  if (entity === undefined) throw new Error(`There is no entity of the table ${table}.`);
  return entity;
}
