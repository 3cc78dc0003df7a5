import type { Comparison, FormerKeyColumn } from "../log/comparison.js";
import type { EmptiedPartition, SchemaChange, SchemaChangeReport, ShapeColumn } from "../log/table-shape.js";
import { actions } from "../core/tracked.js";
import type { TrackedTable } from "../log/tracked-tables.js";

/** A column as the catalog has it now. */
export type FoundColumn = Omit<ShapeColumn, "id" | "hidden">;

/** A table or a partition that holds rows. */
export interface Storage {
  readonly name: string;
  readonly file: number | null;
  readonly bounds: string | null;
  /** The columns that partitions are made by; null if one is made by an expression. */
  readonly by: readonly string[] | null;
}

/** What the last install left of a table. */
export interface KnownTable {
  readonly columns: readonly ShapeColumn[];
  readonly storage: Readonly<Record<string, Storage>>;
  readonly keyColumns: readonly string[];
  readonly excludedColumns: readonly string[];
  readonly actions: readonly string[];
  readonly auditOnly: boolean;
  readonly capture: string;
  readonly absent: boolean;
  readonly versions: SchemaVersions;
}

/** Versions by discriminator value ("" for the table itself) and action. */
export type SchemaVersions = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What the database has now. */
export interface FoundTable {
  readonly columns: readonly FoundColumn[];
  readonly storage: Readonly<Record<string, Storage>>;
  /** Whether it is another table than that of the last install, or the same after a dump and restore. */
  readonly remade: boolean;
  /** What ADD COLUMN gave to the rows of that time, by the column's number, as far as PostgreSQL still knows: JSON. */
  readonly fills: Readonly<Record<number, string>>;
  /** Whether the log has the events of every row under the key that it has now. */
  readonly hasKnownKeys: boolean;
}

export interface Difference {
  /** Today's columns, each with its id. */
  readonly columns: readonly ShapeColumn[];
  /** Undefined if the log has nothing to learn. */
  readonly change: Omit<SchemaChange, "position" | "install" | "report" | "rekeyedFrom"> | undefined;
  readonly comparison: Comparison | undefined;
  readonly report: Omit<SchemaChangeReport, "recordedRows">;
}

/** How a table differs from what the last install left; `nextId` is one that no column ever had. */
export function differenceOf(
  known: KnownTable,
  found: FoundTable,
  table: TrackedTable,
  { nextId, capture, versions }: { nextId: number; capture: string; versions: SchemaVersions },
): Difference {
  let id = nextId;
  const before = known.columns;
  const columns = found.columns.map((column) => {
    const isSensitive = table.sensitiveColumns.has(column.name);
    // By name alone nobody can tell a column from another one: what was sensitive is not taken for what is not.
    const isSame = ({ number, name, hidden: was }: ShapeColumn) =>
      found.remade ? name === column.name && was === isSensitive : number === column.number;
    const was = before.find(isSame);
    const hidden = (was?.hidden ?? false) || isSensitive;
    return { ...column, id: was?.id ?? id++, hidden };
  });
  const pairs = columns.flatMap((now) => {
    const was = before.find((column) => column.id === now.id);
    return was === undefined ? [] : [{ was, now }];
  });
  const added = columns.filter((column) => !before.some((was) => was.id === column.id));
  const isRewritten = hasOtherFiles(known, found);
  const relabelled = pairs.flatMap(({ was, now }) =>
    Object.entries(was.labels ?? {}).flatMap(([oid, from]) => {
      const to = now.labels?.[oid];
      return to === undefined || to === from ? [] : [{ column: now.name, from, to }];
    }),
  );
  const fills = Object.fromEntries(
    added.flatMap(({ id: of, number, generated }) => {
      const fill = found.fills[number];
      return found.remade || generated || fill === undefined ? [] : [[of, fill] as const];
    }),
  );
  const filledByRow = added.filter(
    ({ id: of, generated }) => !generated && fills[of] === undefined && isRewritten && !found.remade,
  );
  // A subscriber does not see the UPDATE of a migration: there, rows alone tell what a new column holds.
  const isUnseen = known.capture === "subscriber";
  const addedUnseen = added.filter(({ generated }) => isUnseen && !generated);
  const { emptied, unbounded } = goneFrom(known, found);
  const rewritten = pairs.filter(
    ({ was, now: column }) =>
      !column.generated &&
      ((isRewritten && was.written !== column.written) || (found.remade && was.type !== column.type)),
  );
  const rekeyed = isRekeyed(known, { columns, hasKnownKeys: found.hasKnownKeys }, table, relabelled);
  const now = new Set(table.excludedColumns);
  const madeOrdinary = pairs.filter(({ was, now: column }) => was.generated && !column.generated);
  const laterKnown = [
    ...madeOrdinary,
    ...pairs.filter(({ was, now: column }) => !column.generated && known.excludedColumns.includes(was.name)),
  ];
  const compared = columns.filter(
    (column) =>
      !now.has(column.name) &&
      (filledByRow.includes(column) ||
        addedUnseen.includes(column) ||
        [...rewritten, ...laterKnown].some((pair) => pair.now === column)),
  );
  const recordsMore =
    (known.auditOnly && !table.auditOnly) ||
    table.actions.some((action) => !known.actions.includes(action)) ||
    (known.capture === "subscriber" && (capture === "trigger" || known.absent));
  // Without all of a record's actions the log does not have its rows: there is nothing to compare them with.
  const isComplete = table.actions.length === actions.length;
  // If values moved from one key to another, rows hold what the log has under other keys.
  const whole = isComplete && (found.remade || rekeyed || unbounded || recordsMore || hasAlteredKey(known, found));
  const partitions = Object.entries(found.storage).flatMap(([oid, { file }]) =>
    file === null || known.storage[oid] !== undefined || found.remade ? [] : [oid],
  );
  const raised = raisedVersions(known.versions, versions);
  const renamed = pairs.filter(({ was, now: column }) => was.name !== column.name);
  const dropped = before.filter((was) => !columns.some((column) => column.id === was.id));
  // A type that is made again under its name is another one.
  const retyped = pairs.filter(
    ({ was, now: column }) => was.type !== column.type || (!found.remade && was.typeId !== column.typeId),
  );
  const changed =
    found.remade ||
    renamed.length + dropped.length + added.length + retyped.length + relabelled.length + emptied.length > 0 ||
    rewritten.length + madeOrdinary.length > 0 ||
    rekeyed ||
    Object.keys(raised).length > 0;
  const comparison: Comparison = {
    whole,
    columns: compared.map(({ name }) => name),
    added: whole || isUnseen ? [] : filledByRow.map(({ name }) => name),
    partitions,
    rekeyed,
    formerKey: rekeyed
      ? formerKeyOf(
          known,
          columns,
          rewritten.map(({ now: column }) => column.id),
        )
      : null,
  };
  const compares = isComplete && (whole || comparison.columns.length > 0 || partitions.length > 0);
  return {
    columns,
    change: changed
      ? {
          before,
          after: columns,
          remade: found.remade,
          fills,
          filledByRow: [...filledByRow, ...madeOrdinary.map(({ now: column }) => column)].map((column) => column.id),
          rewritten: rewritten.map(({ now: column }) => column.id),
          rekeyed,
          emptied: emptied.map(({ condition }) => condition),
          versions: raised,
        }
      : undefined,
    comparison: compares ? comparison : undefined,
    report: {
      entity: table.entity,
      renamed: renamed.map(({ was, now: column }) => ({ from: was.name, to: column.name })),
      dropped: dropped.map(({ name }) => name),
      added: added.map(({ name }) => name),
      retyped: retyped.map(({ was, now: column }) => ({ column: column.name, from: was.type, to: column.type })),
      relabelled,
      rekeyed,
      emptied: emptied.map(({ name }) => name),
    },
  };
}

type Columns = readonly ShapeColumn[];

/**
 * Partitions that are gone, with a condition over the key of the records in them; `unbounded` if the key does not tell.
 */
function goneFrom(
  { columns, storage, keyColumns }: KnownTable,
  found: FoundTable,
): { emptied: { name: string; condition: EmptiedPartition }[]; unbounded: boolean } {
  const gone = Object.entries(storage).filter(([oid]) => found.storage[oid] === undefined);
  if (found.remade) return { emptied: [], unbounded: false };
  const emptied = gone.flatMap(([, { name, bounds, by }]) => {
    if (bounds === null || by === null || !by.every((column) => keyColumns.includes(column))) return [];
    const read = columns.filter((column) => by.includes(column.name));
    return [{ name, condition: { bounds, columns: read.map(({ id, name: of, type }) => ({ id, name: of, type })) } }];
  });
  return { emptied, unbounded: emptied.length < gone.length };
}

/**
 * Whether records have other keys than before: other columns, or other labels; or other values, if the log does not
 * know the keys that the rows have now.
 */
function isRekeyed(
  { columns: before, keyColumns }: KnownTable,
  { columns, hasKnownKeys }: { columns: Columns; hasKnownKeys: boolean },
  table: TrackedTable,
  relabelled: readonly { readonly column: string }[],
): boolean {
  const wasKey = keyColumns.map((name) => before.find((column) => column.name === name));
  const isKey = table.keyColumns.map((name) => columns.find((column) => column.name === name));
  return (
    wasKey.length !== isKey.length ||
    wasKey.some((was, index) => was?.id !== isKey[index]?.id) ||
    relabelled.some(({ column }) => table.keyColumns.includes(column)) ||
    !hasKnownKeys
  );
}

/** Whether a key column was altered, so that its values may be others, or have another text. Not if it was only renamed. */
export function hasAlteredKey(known: KnownTable, found: Pick<FoundTable, "columns" | "storage" | "remade">): boolean {
  const isRewritten = hasOtherFiles(known, found);
  return known.keyColumns.some((name) => {
    const was = known.columns.find((column) => column.name === name);
    const now = found.columns.find((column) => column.number === was?.number);
    if (found.remade || was === undefined || now === undefined || was.written === now.written) return false;
    return isRewritten || was.typeId !== now.typeId;
  });
}

/** Whether a table, or a partition that it had, was written anew, as ALTER TYPE with an expression does. */
function hasOtherFiles({ storage }: KnownTable, found: Pick<FoundTable, "storage">): boolean {
  return Object.entries(storage).some(
    ([oid, { file }]) => found.storage[oid] !== undefined && found.storage[oid]?.file !== file,
  );
}

/** The key of before by today's names, if all of its columns are there with the values that they had. */
function formerKeyOf(
  { columns: before, keyColumns }: KnownTable,
  columns: Columns,
  rewritten: readonly number[],
): FormerKeyColumn[] | null {
  const found = keyColumns.flatMap((name): FormerKeyColumn[] => {
    const was = before.find((column) => column.name === name);
    const now = columns.find((column) => column.id === was?.id);
    if (was === undefined || now?.typeId !== was.typeId || rewritten.includes(now.id)) return [];
    const labels = Object.entries(was.labels ?? {}).flatMap(([oid, label]) => {
      const today = now.labels?.[oid];
      return today === undefined || today === label ? [] : [[today, label] as const];
    });
    return [{ name: now.name, labels: Object.fromEntries(labels) }];
  });
  return found.length === keyColumns.length ? found : null;
}

function raisedVersions(before: SchemaVersions, after: SchemaVersions): SchemaChange["versions"] {
  return Object.fromEntries(
    Object.entries(after).flatMap(([child, ofActions]) => {
      const raised = Object.entries(ofActions).flatMap(([action, version]) => {
        const was = before[child]?.[action] ?? version;
        return was < version ? [[action, [was, version] as const] as const] : [];
      });
      return raised.length === 0 ? [] : [[child, Object.fromEntries(raised)] as const];
    }),
  );
}
