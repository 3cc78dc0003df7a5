import { ownOptions } from "../core/tracked.js";
import type { TrackedTable, Wrong } from "./tracked-table.js";

type Tables = readonly [TrackedTable, ...TrackedTable[]];

/** Entities that are on one table, as one: the first gives what they agree on, and they all show and hide columns. */
export function sharedTable(tables: Tables, wrong: Wrong): TrackedTable {
  refuseDisagreement(tables, wrong);
  const of = <Key extends keyof TrackedTable>(what: Key) => tables.map((table) => table[what]);
  return {
    ...together(tables),
    excludedColumns: unique(of("excludedColumns").flat()),
    tenantColumn: of("tenantColumn").find((column) => column !== null) ?? null,
    discriminatorColumn: of("discriminatorColumn").find((column) => column !== null) ?? null,
    children: Object.assign({}, ...of("children").toReversed()) as TrackedTable["children"],
  };
}

/**
 * A table that is a junction, more than once perhaps, or that a tracked entity is on too. The entity gives the name and the
 * options; without one the junction does whose owner is replayed and whose name comes first. Its other names find it too.
 */
export function sharedJunction(
  entity: TrackedTable | undefined,
  junctions: readonly TrackedTable[],
  wrong: Wrong,
): TrackedTable {
  const sorted = junctions.toSorted(
    (a, b) => Number(a.auditOnly) - Number(b.auditOnly) || Number(a.entity > b.entity) - Number(a.entity < b.entity),
  );
  const tables = (entity === undefined ? sorted : [entity, ...sorted]) as unknown as Tables;
  const [first] = tables;
  // An entity that is written for the table knows its key, which need not be the junction's.
  const described = tables.filter(({ metadata }) => metadata.isJunction === first.metadata.isJunction);
  const keys = unique(described.map(keyOf));
  if (keys.length > 1) {
    wrong(
      `${nameAll(described.map((table) => table.entity))} on ${first.tableName} have different keys: ${nameAll(keys)}.`,
      "Give each relation a join table of its own, or map the table as an entity with the key that it has.",
    );
  }
  return {
    ...together(tables),
    formerly: unique(tables.flatMap((table) => [table.entity, ...table.formerly])).filter(
      (name) => name !== first.entity,
    ),
    actions: entity?.actions ?? unique(sorted.flatMap(({ actions }) => actions)),
  };
}

/** A column that is sensitive for any is sensitive, and one that any excludes is not recorded. */
function together(tables: Tables): TrackedTable {
  const [first] = tables;
  const sensitive = new Map(tables.toReversed().flatMap(({ sensitiveColumns }) => [...sensitiveColumns]));
  const excluded = tables.flatMap(({ excludedColumns }) => excludedColumns);
  return {
    ...first,
    sensitiveColumns: sensitive,
    plainColumns: unique(tables.flatMap(({ plainColumns }) => plainColumns)).filter(
      (name) => !sensitive.has(name) && !excluded.includes(name),
    ),
    deleteDateColumn: tables.find(({ deleteDateColumn }) => deleteDateColumn !== null)?.deleteDateColumn ?? null,
  };
}

const sameOptions =
  "Give each of them the same @Tracked options, `name` among them; " +
  "an entity that extends a tracked one needs an @Tracked of its own for that.";

/** An entity that inherits its `@Tracked` has not chosen a name: it takes that of one that has. */
function refuseDisagreement(tables: Tables, wrong: Wrong): void {
  const chosen = tables.filter(({ metadata }) => ownOptions(metadata.target) !== undefined);
  const refuse = (what: string, hint: string) =>
    wrong(
      `${nameAll(tables.map(({ metadata }) => metadata.name))} are ${tables.length === 2 ? "both" : "all"} on ` +
        `${tables[0].tableName} and do not agree: ${what}.`,
      hint,
    );
  const keys = unique(tables.map(keyOf));
  if (keys.length > 1)
    refuse(`keyColumns is ${nameAll(keys)}`, "Give each of them the primary key that the table has.");
  for (const what of ["entity", "formerly", "versions", "actions", "auditOnly"] as const) {
    const asked = ["entity", "formerly"].includes(what) && chosen.length > 0 ? chosen : tables;
    const values = unique(asked.map((table) => JSON.stringify(table[what])));
    if (values.length > 1) refuse(`${what} is ${nameAll(values)}`, sameOptions);
  }
  // Of a column that it does not have, an entity cannot say anything.
  const differing = (columnsOf: (table: TrackedTable) => readonly string[]) =>
    unique(tables.flatMap(columnsOf)).filter((name) =>
      tables.some((table) => !columnsOf(table).includes(name) && table.metadata.findColumnWithDatabaseName(name)),
    );
  const excluded = differing(({ excludedColumns }) => excludedColumns);
  if (excluded.length > 0) refuse(`not all exclude ${nameAll(excluded)}`, sameOptions);
  const tenants = unique(tables.flatMap(({ tenantColumn }) => tenantColumn ?? []));
  if (tenants.length > 1 || differing(({ tenantColumn }) => (tenantColumn === null ? [] : [tenantColumn])).length > 0)
    refuse(`not for all of them ${nameAll(tenants)} is the tenant`, sameOptions);
}

/** Two classes may have the columns of a key in another order. */
function keyOf({ keyColumns }: TrackedTable): string {
  return JSON.stringify(keyColumns.toSorted());
}

function nameAll(names: readonly string[]): string {
  return unique(names).join(" and ");
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
