import { Column as ColumnOf, Entity, PrimaryColumn } from "typeorm";
import { Sensitive, Tracked } from "../../../src/index.js";
import { columnOptionsOf } from "./column-types.js";
import { expressionOf, type Model, type Table } from "./model.js";

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- what a DataSource takes
type EntityClass = Function;

/** The classes of a release, whose entities have the columns of today. */
export function entitiesOf(model: Model): EntityClass[] {
  return model.tables.map((table) => entityOf(model, table));
}

function entityOf({ enums }: Model, table: Table): EntityClass {
  const target = { [table.entity]: class {} }[table.entity] as EntityClass & { prototype: object };
  for (const { name, type, role, nullable, generated } of table.columns) {
    const options = { ...columnOptionsOf(type, enums), nullable };
    const computed = generated && ({ asExpression: expressionOf(table, generated), generatedType: "STORED" } as const);
    if (role === "key") PrimaryColumn({ ...options, nullable: false } as { type: "text" })(target.prototype, name);
    else ColumnOf({ ...options, ...computed })(target.prototype, name);
    if (role === "sensitive") Sensitive()(target.prototype, name);
  }
  Entity({ name: table.name })(target);
  const named = (wanted: string) => table.columns.filter(({ role }) => role === wanted).map(({ name }) => name);
  Tracked({ name: table.entity, exclude: named("excluded"), tenant: named("tenant")[0] })(target);
  return target;
}
