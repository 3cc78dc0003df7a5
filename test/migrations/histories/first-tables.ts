import { generationOf, typeFor } from "./added-columns.js";
import type { ColumnType } from "./column-types.js";
import { Dice } from "./dice.js";
import { labels } from "./enum-changes.js";
import { type Column, freeName, installed, type Model, type Role, type Table } from "./model.js";
import { firstNameOf } from "./table-changes.js";

export interface FirstTables {
  readonly seed: number;
  readonly isPartitioned: boolean;
  readonly hasSecondTable: boolean;
  readonly hasRowTrigger: boolean;
}

/** The schema before the first install: a table with columns of all roles, and at times another that refers to it. */
export function firstModel({ seed, isPartitioned, hasSecondTable, hasRowTrigger }: FirstTables): Model {
  const dice = new Dice(seed);
  const enums = [{ name: "mood", labels: dice.shuffled(labels).slice(0, 2 + dice.below(3)) }];
  let model: Model = { tables: [], enums, nextId: 1 };

  const add = (table: Table, type: ColumnType, role: Role, more: Partial<Column> = {}): Table => {
    const column = { type, role, nullable: role !== "key", hasDefault: false, generated: null, ...more };
    const name = more.name ?? freeName(table, role, dice);
    const id = model.nextId;
    model = { ...model, nextId: id + 1 };
    return { ...table, columns: [...table.columns, { ...column, name, id }] };
  };
  const empty = (id: 0 | 1, entity: string): Table => ({
    id,
    entity,
    name: firstNameOf(id),
    columns: [],
    formerNames: [],
    hiddenNames: [],
    partitions: null,
    hasRowTrigger,
  });
  const mood = { enumName: "mood", isArray: false };

  let first = empty(0, "Person");
  first = add(first, isPartitioned ? "int" : dice.pick(["int", "int", "bigint", "text", "uuid"] as const), "key", {
    name: "id",
  });
  if (!isPartitioned && !hasSecondTable && dice.chance(0.3)) first = add(first, mood, "key", { name: "kind" });
  if (dice.chance(0.5)) first = add(first, "text", "sensitive");
  if (dice.chance(0.5)) first = add(first, "text", "excluded");
  if (dice.chance(0.4)) first = add(first, dice.pick(["text", "int", mood] as const), "tenant");
  if (!isPartitioned && dice.chance(0.4))
    first = add(first, dice.pick(["text", "int", "varchar(9)"] as const), "unique");
  for (let rest = 1 + dice.below(4); rest > 0; rest--) {
    const more = dice.chance(0.2) ? { nullable: false } : {};
    first = add(first, typeFor(model, dice), "plain", more);
  }
  const base = first.columns.find(({ role }) => role === "plain");
  if (base !== undefined && dice.chance(0.3)) {
    const generated = generationOf(base);
    const type = { upper: "text", double: "numeric", known: "boolean" } as const;
    first = add(first, type[generated.how], "plain", { generated });
  }
  if (isPartitioned)
    first = { ...first, partitions: [0, 100, 200].map((from) => ({ name: `leaf${from}`, from, attached: true })) };

  let second = add(empty(1, "Line"), "int", "key", { name: "id" });
  const [key] = first.columns;
  if (key !== undefined) second = add(second, key.type, "reference", { name: "person" });
  second = add(add(second, "text", "plain"), "text", "sensitive");
  return installed({ ...model, tables: hasSecondTable ? [first, second] : [first] });
}
