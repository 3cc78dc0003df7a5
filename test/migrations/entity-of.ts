import {
  Column,
  type ColumnOptions,
  DeleteDateColumn,
  Entity,
  type ObjectLiteral,
  PrimaryColumn,
  type PrimaryColumnOptions,
} from "typeorm";
import { Sensitive, Tracked } from "../../src/index.js";
import { forTable, keyOf, type Shape } from "./kind.js";

export type EntityClass = new () => ObjectLiteral;

/** The class that an application would have written for a shape. The entity has the table's name in the log. */
export function entityOf(shape: Shape, table: string): EntityClass {
  const type = { [table]: class {} as EntityClass }[table] as EntityClass;
  const named = (options: ColumnOptions): ColumnOptions =>
    options.enumName === undefined ? options : { ...options, enumName: forTable(options.enumName, table) };
  const prototype = type.prototype as object;
  for (const [name, options] of Object.entries(keyOf(shape)))
    PrimaryColumn(named(options) as PrimaryColumnOptions)(prototype, name);
  for (const [name, options] of Object.entries(shape.columns)) {
    const decorate = name === shape.deleteDate ? DeleteDateColumn : Column;
    decorate(named(options))(prototype, name);
  }
  for (const name of shape.sensitive ?? []) Sensitive()(prototype, name);
  Entity({ name: forTable(shape.table ?? "$t", table), ...(shape.schema && { schema: shape.schema }) })(type);
  if (shape.tracked !== false) Tracked({ name: table, ...shape.tracked })(type);
  return type;
}
