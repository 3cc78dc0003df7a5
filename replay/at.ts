import type { DataSource, EntityMetadata, ObjectLiteral } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { refuseUnknownOptions } from "../src/core/options.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withPooledSession } from "../src/core/session.js";
import { raw, sql, type Statement } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { snapshotOfLog } from "../src/log/partitions.js";
import { type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { refuseBeforeBaseline } from "../src/log/known-since.js";
import { type RecordId, recordKeys } from "../src/log/record-id.js";
import { type EntityReference, trackedTableOf } from "../src/log/tracked-tables.js";
import { exists, foldQuery, recordKey } from "./fold.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import type { CheckedHandlers } from "./handlers.js";
import { makePlan, type Plan } from "./plan.js";
import { stageOldVersions } from "./stage.js";

export interface AtOptions {
  /** Fill sensitive properties too. (Default: false, they are undefined) */
  readonly sensitive?: boolean | undefined;
}

/**
 * One record, or several, as they were at a point in time, as entities; null where one did not exist. Tables are untouched and
 * only the records asked for are folded, unless events of old versions have overrides, which may write to any record.
 */
export async function at<T extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityReference<T>,
  id: RecordId | readonly RecordId[],
  point: PointInTime,
  options: AtOptions = {},
): Promise<T | null | (T | null)[]> {
  refuseUnknownOptions("at", options, ["sensitive"]);
  const { sensitive = false } = options;
  const ids: readonly RecordId[] = Array.isArray(id) ? id : [id as RecordId];
  const metadata = metadataOf(dataSource, entity);
  const work = withPooledSession(dataSource, async (session) => {
    const cut = await resolvePoint(session, dataSource, point);
    return snapshotOfLog(session, attachmentOf(dataSource).schema, async () => {
      const { keys, table, query } = await recordFold(session, dataSource, entity, ids, cut);
      // Values as the application's own parsers give them, so that entities come out as TypeORM would load them.
      const rows = await session.typedRows(query);
      return keys.map((key) => {
        const row = rows.find((candidate) => candidate[recordKey.slice(1, -1)] === key);
        return row === undefined ? null : entityOf<T>(dataSource, table, row, sensitive, metadata);
      });
    });
  });
  const found = await asOwner(dataSource, work);
  return Array.isArray(id) ? found : (found[0] ?? null);
}

/** The fold of a few records of one table at a cut. */
export async function recordFold(
  session: Session,
  dataSource: DataSource,
  entity: EntityReference,
  ids: readonly RecordId[],
  cut: Cut,
  label = "at",
): Promise<{ keys: string[]; table: FoldTable; query: Statement; plan: Plan }> {
  const { schema } = attachmentOf(dataSource);
  const { tableName } = trackedTableOf(dataSource, entity);
  const tables = await foldTables(session, dataSource, { auditOnly: true });
  const table = tables.find((candidate) => candidate.tableName === tableName) as FoldTable;
  const keys = await recordKeys(session, schema, table, ids);
  await refuseBeforeBaseline(session, dataSource, cut, [table], keys);
  const only = sql`e.record_key = any (${keys})`;
  const own = sql`e.table_name = any (${table.logNames}) and ${only}`;
  // An override may write any record; without one the rest of the log, which may be large, is not even counted.
  const { overrides } = attachmentOf(dataSource).replay as CheckedHandlers;
  const plan = await makePlan(session, dataSource, cut, overrides.length > 0 ? undefined : own);
  const staged = `chronicle_staged_${label}`;
  await stageOldVersions(session, dataSource, { plan, cut, tables, staged, step: () => undefined });
  const fold = foldQuery({ schema, cut, plan, staged: `pg_temp.${staged}`, only }, table);
  return { keys, table, plan, query: sql`select * from (${fold}) f where ${raw(exists)}` };
}

/** A folded row as TypeORM would load it. */
export function entityOf<T extends ObjectLiteral>(
  dataSource: DataSource,
  table: FoldTable,
  row: Record<string, unknown>,
  sensitive: boolean,
  asked: EntityMetadata = table.metadata,
): T {
  const metadata = childOf(asked, row);
  const entity = metadata.create() as ObjectLiteral;
  for (const column of metadata.columns) {
    const value = row[column.databaseName];
    if (column.isVirtual || value === undefined || (!sensitive && !table.plainColumns.includes(column.databaseName)))
      continue;
    column.setEntityValue(entity, dataSource.driver.prepareHydratedValue(value, column));
  }
  return entity as T;
}

/** The entity's own, for several may be on one table; under single-table inheritance the parent's. */
function metadataOf(dataSource: DataSource, entity: EntityReference): EntityMetadata {
  const { metadata } = trackedTableOf(dataSource, entity);
  const own = typeof entity === "string" ? metadata : dataSource.getMetadata(entity);
  return own.tableType === "entity-child" ? metadata : own;
}

/** Under single-table inheritance, the child that the row's discriminator names. */
function childOf(metadata: EntityMetadata, row: Record<string, unknown>): EntityMetadata {
  const discriminator = metadata.discriminatorColumn && row[metadata.discriminatorColumn.databaseName];
  return metadata.childEntityMetadatas.find((child) => child.discriminatorValue === discriminator) ?? metadata;
}
