import { type DataSource, type EntityMetadata, EntitySchema, type ObjectLiteral, type ObjectType } from "typeorm";
import { EventLogError } from "../core/errors.js";
import { listOf, show, value } from "../core/option-checker.js";
import { ownOptions, trackedOptions } from "../core/tracked.js";
import { ownedTable, tableNames } from "./entity-parts.js";
import { sharedJunction, sharedTable } from "./shared-tables.js";
import { tableOfEntity, tableOfOwned, type TrackedName, type TrackedTable, type Wrong } from "./tracked-table.js";

export type { TrackedTable } from "./tracked-table.js";

export type EntityReference<T extends ObjectLiteral = ObjectLiteral> = ObjectType<T> | EntitySchema<T> | string;

const cache = new WeakMap<DataSource, { of: readonly EntityMetadata[]; tables: readonly TrackedTable[] }>();

/**
 * The tracked tables of a DataSource, from its metadata and decorators; junction and closure tables with their owners.
 * Throws OPTIONS_INVALID with everything that is wrong: two tables with one name, entities on one table that do not agree
 * on their options, and options that do not fit the entity.
 */
export function trackedTables(dataSource: DataSource): readonly TrackedTable[] {
  const known = cache.get(dataSource);
  if (known?.of === dataSource.entityMetadatas) return known.tables;
  const findings = new Set<string>();
  const hints = new Set<string>();
  const tables = makeTables(dataSource, (finding, hint) => {
    findings.add(finding);
    if (hint !== undefined) hints.add(hint);
  });
  if (findings.size > 0) {
    throw new EventLogError("OPTIONS_INVALID", [...findings].join(" "), {
      hint: hints.size === 0 ? undefined : [...hints].join(" "),
      details: { findings: [...findings] },
    });
  }
  cache.set(dataSource, { of: dataSource.entityMetadatas, tables });
  return tables;
}

function makeTables(dataSource: DataSource, wrong: Wrong): readonly TrackedTable[] {
  const { entityMetadatas } = dataSource;
  const nameOfTable = (metadata: EntityMetadata) => tableNames(dataSource, metadata).tableName;
  const entities = entityMetadatas.filter((metadata) => hasTableOfItsOwn(metadata, wrong));
  const tables = new Map<string, TrackedTable>();
  for (const [name, group] of groupBy(entities.filter(isTracked), nameOfTable)) {
    const [first, ...others] = group
      .toSorted(firstToName)
      .map((metadata) => tableOfEntity(dataSource, metadata, wrong));
    if (first !== undefined) tables.set(name, sharedTable([first, ...others], wrong));
  }
  const owners = new Map(tables);
  const owned = entityMetadatas.flatMap((metadata) => ownedTable(metadata) ?? []);
  const written = groupBy(entities, nameOfTable);
  for (const [name, group] of groupBy(owned, ({ metadata }) => nameOfTable(metadata))) {
    const entity = owners.get(name);
    const junctions = group.flatMap((one) => {
      const owner = owners.get(nameOfTable(one.owner));
      const described =
        entity === undefined ? [...(written.get(name) ?? []).toSorted(firstToName), one.metadata] : [one.metadata];
      return owner === undefined ? [] : described.map((metadata) => tableOfOwned(dataSource, one, owner, metadata));
    });
    if (junctions.length > 0) tables.set(name, sharedJunction(entity, junctions, wrong));
  }
  for (const table of tables.values()) refuseHidden(table, wrong);
  refuseDuplicates([...tables.values()], wrong);
  return [...tables.values()];
}

/** Children under single-table inheritance are on their parent's table. Views have none, so nothing of them is recorded. */
function hasTableOfItsOwn(metadata: EntityMetadata, wrong: Wrong): boolean {
  const { name, target, tableType, parentEntityMetadata: parent } = metadata;
  if (metadata.isJunction) return false;
  if (tableType === "entity-child") {
    if (isTracked(metadata) && !isTracked(parent))
      wrong(`${name} is tracked, but its rows are in the table of ${parent.name}, which is not.`, trackParent);
    return false;
  }
  if (tableType === "view" && ownOptions(target) !== undefined)
    wrong(`${name} is tracked, but it is a view: nobody writes its rows.`, "Track the entities whose rows it shows.");
  return tableType !== "view";
}

const trackParent = "Put @Tracked on the entity that has the table: all its rows are recorded.";

function isTracked({ target }: EntityMetadata): boolean {
  return trackedOptions(target) !== undefined;
}

/** An entity with an `@Tracked` of its own before one that inherits it, then by name: the order of imports means nothing. */
function firstToName(one: EntityMetadata, other: EntityMetadata): number {
  const inherits = ({ target }: EntityMetadata) => Number(ownOptions(target) === undefined);
  return inherits(one) - inherits(other) || Number(one.name > other.name) - Number(one.name < other.name);
}

function groupBy<T>(items: readonly T[], nameOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(nameOf(item), [...(groups.get(nameOf(item)) ?? []), item]);
  return groups;
}

/** A row is found by its key, and whose it is by its tenant: the log has to show both. */
function refuseHidden(table: TrackedTable, wrong: Wrong): void {
  for (const name of new Set([...table.sensitiveColumns.keys(), ...table.excludedColumns])) {
    const what = table.keyColumns.includes(name) ? "key" : name === table.tenantColumn ? "tenant" : undefined;
    if (what !== undefined) wrong(`${table.entity}: the ${what} column "${name}" cannot be sensitive or excluded.`);
  }
}

function refuseDuplicates(tables: readonly TrackedTable[], wrong: Wrong): void {
  const byName = new Map<string, string>();
  for (const table of tables) {
    for (const name of new Set(namesOf(table).flatMap(({ entity, formerly }) => [entity, ...formerly]))) {
      const other = byName.get(name) ?? table.tableName;
      byName.set(name, other);
      if (other !== table.tableName)
        wrong(
          `Two tracked tables have the name "${name}": ${other} and ${table.tableName}.`,
          'Give one of them a name of its own: @Tracked({ name: "..." }).',
        );
    }
  }
}

/** The tracked table of an entity given by class, schema or tracked name. Throws NOT_TRACKED. */
export function trackedTableOf(dataSource: DataSource, reference: EntityReference): TrackedTable {
  refuseNoEntity(reference);
  const tables = trackedTables(dataSource);
  const found =
    typeof reference === "string"
      ? tables.find((table) => nameIn(table, reference) !== undefined)
      : tables.find(
          (table) =>
            dataSource.hasMetadata(reference) &&
            table.tableName === tableNames(dataSource, dataSource.getMetadata(reference)).tableName,
        );
  if (found === undefined)
    throw new EventLogError("NOT_TRACKED", `${nameOf(reference)} is not tracked in this DataSource.`);
  return found;
}

const anEntity = "an entity (its class, its EntitySchema or its tracked name)";
const hint =
  "A class is undefined where two files import each other: name the entity by its tracked name, or break the circle.";
const isReference = (given: unknown) =>
  typeof given === "string" || typeof given === "function" || given instanceof EntitySchema;

export const entityOption = value<EntityReference>(anEntity, isReference, { hint });
export const someEntities = listOf("entities", entityOption, { mayBeEmpty: false });

/** Throws OPTIONS_INVALID for what can be no entity, such as the undefined that imports in a circle give. */
function refuseNoEntity(reference: unknown): void {
  if (!isReference(reference))
    throw new EventLogError("OPTIONS_INVALID", `Expected ${anEntity}, got: ${show(reference)}.`, { hint });
}

/** The name that an entity's events carry today: its own under single-table inheritance. */
export function trackedNameOf(dataSource: DataSource, reference: EntityReference): string {
  const table = trackedTableOf(dataSource, reference);
  if (typeof reference === "string") return nameIn(table, reference)?.entity ?? table.entity;
  const { tableType, discriminatorValue } = dataSource.getMetadata(reference);
  return (tableType === "entity-child" && table.children[discriminatorValue ?? ""]?.entity) || table.entity;
}

/** The table's own name, and those of its children under single-table inheritance. */
export function namesOf(table: TrackedTable): readonly TrackedName[] {
  return [table, ...Object.values(table.children)];
}

function nameIn(table: TrackedTable, name: string): TrackedName | undefined {
  const names = namesOf(table);
  return names.find(({ entity }) => entity === name) ?? names.find(({ formerly }) => formerly.includes(name));
}

function nameOf(reference: EntityReference): string {
  if (typeof reference === "string") return `"${reference}"`;
  return typeof reference === "function" ? reference.name : reference.options.name;
}
