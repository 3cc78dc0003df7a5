import type { DataSource, EntityMetadata } from "typeorm";
import {
  type Action,
  actions,
  ownOptions,
  type SensitiveOptions,
  type TrackedOptions,
  trackedOptions,
  versionsOf,
} from "../core/tracked.js";
import { childrenOf, columnsAt, type OwnedTable, type TableNames, tableNames } from "./entity-parts.js";
import { sensitiveColumns } from "./sensitive-columns.js";

/** What an entity is called in the log and which version its events have. */
export interface TrackedName {
  readonly entity: string;
  /** Names it had before, and further names that it has as a junction. */
  readonly formerly: readonly string[];
  readonly versions: Readonly<Record<Action, number>>;
}

/** A table that is tracked, as the code of this process says. */
export interface TrackedTable extends TrackedName, TableNames {
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

/** Takes a sentence that says what is wrong, and the way out if it is another than that of the code. */
export type Wrong = (finding: string, hint?: string) => void;

/** The table of an entity, as its class and `@Tracked` describe it. */
export function tableOfEntity(dataSource: DataSource, metadata: EntityMetadata, wrong: Wrong): TrackedTable {
  const options = trackedOptions(metadata.target) ?? {};
  const children = childrenOf(metadata);
  const excluded = [metadata, ...children].flatMap((entity) => excludedColumns(entity, wrong));
  const table = {
    ...namesOfEntity(metadata),
    ...tableNames(dataSource, metadata),
    ...columnsOf(metadata, excluded),
    excludedColumns: [...new Set(excluded)],
    tenantColumn: tenantColumn(metadata, options, wrong),
    discriminatorColumn: metadata.discriminatorColumn?.databaseName ?? null,
    children: Object.fromEntries(children.map((child) => [String(child.discriminatorValue), namesOfEntity(child)])),
    actions: options.actions ?? actions,
    auditOnly: options.auditOnly ?? false,
  };
  refuseRequired(table, wrong);
  for (const child of children) refuseOwnWays(metadata, child, wrong);
  return table;
}

/** A junction or closure table, `Post.tags` or `Category.closure`; `written` is the entity that maps it, if there is one. */
export function tableOfOwned(
  dataSource: DataSource,
  { metadata, property }: OwnedTable,
  owner: TrackedTable,
  written: EntityMetadata = metadata,
): TrackedTable {
  return {
    entity: `${owner.entity}.${property}`,
    formerly: owner.formerly.map((former) => `${former}.${property}`),
    versions: owner.versions,
    ...tableNames(dataSource, metadata),
    ...columnsOf(written, []),
    excludedColumns: [],
    tenantColumn: null,
    discriminatorColumn: null,
    children: {},
    actions: owner.actions,
    auditOnly: owner.auditOnly,
  };
}

function columnsOf(metadata: EntityMetadata, excluded: readonly string[]) {
  const sensitive = sensitiveColumns(metadata.columns);
  return {
    metadata,
    keyColumns: metadata.primaryColumns.map(({ databaseName }) => databaseName),
    plainColumns: metadata.columns
      .map(({ databaseName }) => databaseName)
      .filter((name) => !sensitive.has(name) && !excluded.includes(name)),
    sensitiveColumns: sensitive,
    deleteDateColumn: metadata.deleteDateColumn?.databaseName ?? null,
  };
}

function namesOfEntity({ target, name }: EntityMetadata): TrackedName {
  const options = trackedOptions(target) ?? {};
  return { entity: options.name ?? name, formerly: options.formerly ?? [], versions: versionsOf(options) };
}

/** A child under single-table inheritance excludes what it says itself; what it inherits, its parent has excluded. */
function excludedColumns(metadata: EntityMetadata, wrong: Wrong): readonly string[] {
  const { exclude = [] } = (metadata.tableType === "entity-child" ? ownOptions : trackedOptions)(metadata.target) ?? {};
  return exclude.flatMap((property) => {
    const columns = columnsAt(metadata, property);
    if (columns.length === 0) wrong(`${on(metadata)}: exclude: there is no column for the property "${property}".`);
    return columns;
  });
}

function tenantColumn(metadata: EntityMetadata, { tenant }: TrackedOptions, wrong: Wrong): string | null {
  if (tenant === undefined) return null;
  const [column, ...more] = columnsAt(metadata, tenant);
  if (column === undefined) wrong(`${on(metadata)}: tenant: there is no column for the property "${tenant}".`);
  if (more.length > 0) wrong(`${on(metadata)}: tenant: "${tenant}" is ${1 + more.length} columns, expected one.`);
  return column ?? null;
}

/** What a new row must have cannot be left out of the log. */
function refuseRequired({ metadata, excludedColumns: excluded, auditOnly }: TrackedTable, wrong: Wrong): void {
  if (auditOnly) return;
  for (const { databaseName, isNullable, isGenerated, default: standard } of metadata.columns) {
    if (excluded.includes(databaseName) && !isNullable && standard === undefined && !isGenerated)
      wrong(
        `${on(metadata)}: exclude: "${databaseName}" is NOT NULL without a default, ` +
          "so replay could not insert a row; that needs auditOnly.",
      );
  }
}

/** What holds for a whole table is said once, by the entity that has it. */
function refuseOwnWays(metadata: EntityMetadata, child: EntityMetadata, wrong: Wrong): void {
  const [ofTable, own] = [trackedOptions(metadata.target), ownOptions(child.target)];
  for (const option of ["tenant", "auditOnly", "actions"] as const) {
    if (own?.[option] !== undefined && JSON.stringify(own[option]) !== JSON.stringify(ofTable?.[option]))
      wrong(`${on(child)}: ${option} holds for the whole table; say it on ${metadata.name}.`);
  }
}

function on({ name }: EntityMetadata): string {
  return `@Tracked on ${name}`;
}
