import { type DataSource, type EntityMetadata, EntitySchema, type ObjectLiteral, type ObjectType } from "typeorm";
import { EventLogError } from "../core/errors.js";
import { listOf, show, value } from "../core/option-checker.js";
import { quoteIdentifier } from "../core/sql.js";
import { type Action, actions, type SensitiveOptions, trackedOptions, versionsOf } from "../core/tracked.js";
import { sensitiveColumns } from "./sensitive-columns.js";

export type EntityReference<T extends ObjectLiteral = ObjectLiteral> = ObjectType<T> | EntitySchema<T> | string;

/** What an entity is called in the log and which version its events have. */
interface TrackedName {
  readonly entity: string;
  /** Names it had before. */
  readonly formerly: readonly string[];
  readonly versions: Readonly<Record<Action, number>>;
}

/** A table that is tracked, as the code of this process says. */
export interface TrackedTable extends TrackedName {
  /** How the log names it: schema-qualified, quoted only where the name is not simple. */
  readonly tableName: string;
  /** The same for SQL text, always quoted. */
  readonly sqlName: string;
  readonly metadata: EntityMetadata;
  readonly keyColumns: readonly string[];
  readonly plainColumns: readonly string[];
  readonly sensitiveColumns: ReadonlyMap<string, SensitiveOptions>;
  readonly excludedColumns: readonly string[];
  readonly deleteDateColumn: string | null;
  readonly tenantColumn: string | null;
  readonly discriminatorColumn: string | null;
  /** Under single-table inheritance: the discriminator's value of each child, and its name. */
  readonly children: Readonly<Record<string, TrackedName>>;
  readonly actions: readonly Action[];
  readonly auditOnly: boolean;
}

const cache = new WeakMap<DataSource, { of: readonly EntityMetadata[]; tables: readonly TrackedTable[] }>();

/**
 * The tracked tables of a DataSource, from its metadata and decorators; junction and closure tables with their owners.
 * Throws OPTIONS_INVALID for two tables with one name, for entities on one table that do not agree on their options, and for
 * options that do not fit the entity.
 */
export function trackedTables(dataSource: DataSource): readonly TrackedTable[] {
  const known = cache.get(dataSource);
  if (known?.of === dataSource.entityMetadatas) return known.tables;
  const tables: TrackedTable[] = [];
  for (const metadata of dataSource.entityMetadatas) {
    if (
      metadata.tableType === "entity-child" ||
      metadata.tableType === "view" ||
      metadata.isJunction ||
      metadata.tableType === "junction"
    )
      continue;
    const options = trackedOptions(metadata.target) ?? trackedOptions(metadata.name);
    if (options === undefined) continue;
    const table = trackedTable(dataSource, metadata);
    tables.push(table, ...ownedTables(dataSource, metadata, table));
  }
  const unique = oneEach(tables);
  refuseDuplicates(unique);
  cache.set(dataSource, { of: dataSource.entityMetadatas, tables: unique });
  return unique;
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
            table.metadata.tablePath === dataSource.getMetadata(reference).tablePath,
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
  const { discriminatorValue } = dataSource.getMetadata(reference);
  return table.children[discriminatorValue ?? ""]?.entity ?? table.entity;
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

function trackedTable(dataSource: DataSource, metadata: EntityMetadata): TrackedTable {
  const options = trackedOptions(metadata.target) ?? trackedOptions(metadata.name) ?? {};
  const columns = metadata.columns;
  const columnOf = (property: string, option: string): string => {
    const column = columns.find(
      (candidate) => candidate.propertyPath === property || candidate.propertyName === property,
    );
    if (column === undefined) throw invalid(metadata, `${option}: there is no column for the property "${property}"`);
    return column.databaseName;
  };
  const excluded = (options.exclude ?? []).map((property) => columnOf(property, "exclude"));
  const tenantColumn = options.tenant === undefined ? null : columnOf(options.tenant, "tenant");
  const sensitive = sensitiveColumns(columns);
  const keyColumns = metadata.primaryColumns.map((column) => column.databaseName);
  for (const name of [...sensitive.keys(), ...excluded]) {
    if (keyColumns.includes(name)) throw invalid(metadata, `the key column "${name}" cannot be sensitive or excluded`);
    if (name === tenantColumn) throw invalid(metadata, `the tenant column "${name}" cannot be sensitive or excluded`);
  }
  if (!options.auditOnly) {
    const required = columns.find(
      (column) =>
        excluded.includes(column.databaseName) &&
        !column.isNullable &&
        column.default === undefined &&
        !column.isGenerated,
    );
    if (required !== undefined) {
      throw invalid(
        metadata,
        `exclude: "${required.databaseName}" is NOT NULL without a default, so replay could not insert a row; that needs auditOnly`,
      );
    }
  }
  return {
    entity: options.name ?? metadata.name,
    versions: versionsOf(options),
    ...names(dataSource, metadata),
    metadata,
    formerly: options.formerly ?? [],
    keyColumns,
    plainColumns: columns
      .map((column) => column.databaseName)
      .filter((name) => !sensitive.has(name) && !excluded.includes(name)),
    sensitiveColumns: sensitive,
    excludedColumns: excluded,
    deleteDateColumn: metadata.deleteDateColumn?.databaseName ?? null,
    tenantColumn,
    discriminatorColumn: metadata.discriminatorColumn?.databaseName ?? null,
    children: Object.fromEntries(
      metadata.childEntityMetadatas.map((child) => [String(child.discriminatorValue), childName(child)]),
    ),
    actions: options.actions ?? actions,
    auditOnly: options.auditOnly ?? false,
  };
}

function childName(child: EntityMetadata): TrackedName {
  const options = trackedOptions(child.target) ?? {};
  return { entity: options.name ?? child.name, formerly: options.formerly ?? [], versions: versionsOf(options) };
}

/** Junction tables of the relations it owns, `Post.tags`, and its closure table, `Category.closure`. */
function ownedTables(dataSource: DataSource, metadata: EntityMetadata, owner: TrackedTable): TrackedTable[] {
  const owned = [metadata, ...metadata.childEntityMetadatas].flatMap((entity) =>
    entity.ownRelations
      .filter((relation) => relation.isManyToManyOwner && relation.junctionEntityMetadata !== undefined)
      .map((relation) => ({ name: relation.propertyPath, of: relation.junctionEntityMetadata })),
  );
  if (metadata.closureJunctionTable) owned.push({ name: "closure", of: metadata.closureJunctionTable });
  for (const { name, of } of owned) {
    const [hidden] = sensitiveColumns(of?.columns ?? []).keys();
    if (hidden !== undefined)
      throw invalid(metadata, `the junction table of "${name}" has the sensitive value "${hidden}" as a key`);
  }
  return owned.flatMap(({ name, of }) =>
    of === undefined
      ? []
      : [
          {
            ...owner,
            entity: `${owner.entity}.${name}`,
            formerly: owner.formerly.map((former) => `${former}.${name}`),
            ...names(dataSource, of),
            metadata: of,
            keyColumns: of.primaryColumns.map((column) => column.databaseName),
            plainColumns: of.columns.map((column) => column.databaseName),
            sensitiveColumns: new Map(),
            excludedColumns: [],
            deleteDateColumn: null,
            tenantColumn: null,
            discriminatorColumn: null,
            children: {},
          },
        ],
  );
}

function names(dataSource: DataSource, metadata: EntityMetadata): Pick<TrackedTable, "tableName" | "sqlName"> {
  const path = [metadata.schema ?? (dataSource.driver as { schema?: string }).schema ?? "public", metadata.tableName];
  return {
    tableName: path.map((name) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name))).join("."),
    sqlName: path.map(quoteIdentifier).join("."),
  };
}

/** One of each table, also where several entities are on it. */
function oneEach(tables: readonly TrackedTable[]): readonly TrackedTable[] {
  const byTable = new Map<string, TrackedTable>();
  for (const table of tables) {
    const other = byTable.get(table.tableName);
    byTable.set(table.tableName, other === undefined ? table : together(other, table));
  }
  return [...byTable.values()];
}

const agreedOn = [
  "entity",
  "formerly",
  "versions",
  "keyColumns",
  "excludedColumns",
  "tenantColumn",
  "actions",
] as const;

/** What two entities on one table say of it: each may know other columns, and one that is sensitive for either is sensitive. */
function together(one: TrackedTable, other: TrackedTable): TrackedTable {
  for (const what of [...agreedOn, "auditOnly"] as const) {
    const [a, b] = [JSON.stringify(one[what]), JSON.stringify(other[what])];
    if (a !== b) {
      throw new EventLogError(
        "OPTIONS_INVALID",
        `${one.metadata.name} and ${other.metadata.name} are both on ${one.tableName} and do not agree: ${what} is ${a} and ${b}.`,
        { hint: "Give both the same @Tracked options, `name` among them." },
      );
    }
  }
  const sensitive = new Map([...other.sensitiveColumns, ...one.sensitiveColumns]);
  return {
    ...one,
    sensitiveColumns: sensitive,
    plainColumns: [...new Set([...one.plainColumns, ...other.plainColumns])].filter((name) => !sensitive.has(name)),
    deleteDateColumn: one.deleteDateColumn ?? other.deleteDateColumn,
    discriminatorColumn: one.discriminatorColumn ?? other.discriminatorColumn,
    children: { ...other.children, ...one.children },
  };
}

function refuseDuplicates(tables: readonly TrackedTable[]): void {
  const byName = new Map<string, string>();
  for (const table of tables) {
    for (const name of new Set(namesOf(table).flatMap(({ entity, formerly }) => [entity, ...formerly]))) {
      const other = byName.get(name);
      if (other !== undefined) {
        throw new EventLogError(
          "OPTIONS_INVALID",
          `Two tracked tables have the name "${name}": ${other} and ${table.tableName}.`,
          {
            hint: 'Give one of them a name of its own: @Tracked({ name: "..." }).',
          },
        );
      }
      byName.set(name, table.tableName);
    }
  }
}

function invalid(metadata: EntityMetadata, what: string): EventLogError {
  return new EventLogError("OPTIONS_INVALID", `@Tracked on ${metadata.name}: ${what}.`);
}
