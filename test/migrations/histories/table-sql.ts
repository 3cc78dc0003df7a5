import { sqlOf } from "./column-types.js";
import { type Column, expressionOf, keysOf, liveName, type Model, type Partition, type Table } from "./model.js";
import { listed, quoted } from "./quoted.js";

/** A column of a table that is being made; what had a default needs a value from now on. */
export function columnSql(table: Table, { name, type, nullable, generated }: Column): string {
  const computed = generated === null ? "" : ` generated always as (${expressionOf(table, generated)}) stored`;
  return `${quoted(name)} ${sqlOf(type)}${computed}${nullable ? "" : " not null"}`;
}

export function partitionSql(table: Table, { name, from }: Partition): string {
  const range = `for values from (${from}) to (${from + 100})`;
  return `create table public.${quoted(name)} partition of ${liveName(table)} ${range}`;
}

/** A table with all that belongs to it, its columns in the order that is given. */
export function createTable(model: Model, table: Table, columns: readonly Column[] = table.columns): string {
  const keys = keysOf(table).map(({ name }) => name);
  const parts = [...columns.map((column) => columnSql(table, column)), `primary key (${listed(keys)})`];
  for (const { role, name } of columns) {
    if (role === "unique") parts.push(`unique (${quoted(name)})`);
    const [referred] = model.tables;
    if (role === "reference" && referred !== undefined) {
      const on = `${liveName(referred)} (${listed(keysOf(referred).map((key) => key.name))})`;
      parts.push(`foreign key (${quoted(name)}) references ${on} on update cascade on delete set null`);
    }
  }
  const split = table.partitions === null ? "" : ` partition by range (${listed(keys)})`;
  const events = `after insert or update or delete on ${liveName(table)}`;
  const partitions = (table.partitions ?? []).filter(({ attached }) => attached);
  return [
    `create table ${liveName(table)} (${parts.join(", ")})${split}`,
    ...partitions.map((partition) => partitionSql(table, partition)),
    ...(table.hasRowTrigger ? [`create trigger look_on ${events} for each row execute function public.look_on()`] : []),
  ].join("; ");
}
