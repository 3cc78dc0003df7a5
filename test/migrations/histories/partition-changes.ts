import type { ChangeKind, ChangeStep } from "./change.js";
import type { Dice } from "./dice.js";
import { keysOf, liveName, type Model, type Partition, type Table, withTable } from "./model.js";
import { listed, quoted } from "./quoted.js";
import { columnSql, partitionSql } from "./table-sql.js";
import { rowOf } from "./writes.js";

const withPartitions = (model: Model, table: Table, partitions: readonly Partition[]): Model => ({
  ...withTable(model, { ...table, partitions }),
  nextId: model.nextId + 1,
});

/** Another partition for keys that none is for. */
function next(model: Model, table: Table): Partition {
  const from = Math.max(-100, ...(table.partitions ?? []).map((partition) => partition.from)) + 100;
  return { name: `leaf_${model.nextId}`, from, attached: true };
}

const create: ChangeKind = (model, table) => {
  if (table.partitions === null) return null;
  const partition = next(model, table);
  const after = withPartitions(model, table, [...table.partitions, partition]);
  return { steps: [{ sql: partitionSql(table, partition), after }] };
};

/** A table with rows of its own and its columns in another order becomes a partition. */
const attach: ChangeKind = (model, table, dice) => {
  if (table.partitions === null) return null;
  const detached = table.partitions.filter(({ attached }) => !attached);
  const steps: ChangeStep[] = [];
  let partition = next(model, table);
  if (detached.length > 0 && dice.chance(0.6)) partition = { ...dice.pick(detached), attached: true };
  else steps.push(...filled(model, table, partition, dice));
  const others = table.partitions.filter(({ name }) => name !== partition.name);
  const { name, from } = partition;
  const range = `for values from (${from}) to (${from + 100})`;
  const sql = `alter table ${liveName(table)} attach partition public.${quoted(name)} ${range}`;
  steps.push({ sql, after: withPartitions(model, table, [...others, partition]) });
  return { steps, isLearnedLate: true, isAtomic: true };
};

function filled(model: Model, table: Table, { name, from }: Partition, dice: Dice): ChangeStep[] {
  const leaf = `public.${quoted(name)}`;
  const columns = table.columns.toReversed().map((column) => columnSql(table, column));
  const row = rowOf(model, table, dice, { isWhole: true });
  const [key] = keysOf(table);
  row.set(key?.name ?? "", String(from + dice.below(100)));
  return [
    { sql: `create table ${leaf} (${columns.join(", ")})`, after: model },
    { sql: `insert into ${leaf} (${listed([...row.keys()])}) values (${[...row.values()].join(", ")})`, after: model },
  ];
}

/** One that is not the last, and that the last install saw. */
function goes({ partitions }: Table, dice: Dice): Partition | undefined {
  const attached = (partitions ?? []).filter((partition) => partition.attached);
  const known = attached.filter((partition) => partition.known === true);
  return attached.length < 2 || known.length === 0 ? undefined : dice.pick(known);
}

const detach: ChangeKind = (model, table, dice) => {
  const gone = goes(table, dice);
  if (gone === undefined || table.partitions === null) return null;
  const sql = `alter table ${liveName(table)} detach partition public.${quoted(gone.name)}`;
  const partitions = table.partitions.map((other) => (other === gone ? { ...gone, attached: false } : other));
  return { steps: [{ sql, after: withPartitions(model, table, partitions) }], isLearnedLate: true };
};

const drop: ChangeKind = (model, table, dice) => {
  const gone = goes(table, dice);
  if (gone === undefined || table.partitions === null) return null;
  const partitions = table.partitions.filter((other) => other !== gone);
  const sql = `drop table public.${quoted(gone.name)}`;
  return { steps: [{ sql, after: withPartitions(model, table, partitions) }], isLearnedLate: true };
};

export const partitionChanges = {
  "create a partition": create,
  "attach a partition": attach,
  "detach a partition": detach,
  "drop a partition": drop,
} satisfies Record<string, ChangeKind>;
