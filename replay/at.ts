import type { DataSource, EntityMetadata, ObjectLiteral } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { checkOptions, type OptionsOf, section } from "../src/core/option-checker.js";
import { trueOrFalse } from "../src/core/option-kinds.js";
import { asOwner } from "../src/core/rights.js";
import { type Session, withPooledSession } from "../src/core/session.js";
import { raw, sql, type Statement } from "../src/core/sql.js";
import type { Cut } from "../src/log/cut.js";
import { childrenOf } from "../src/log/entity-parts.js";
import { snapshotOfLog } from "../src/log/partitions.js";
import { type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { refuseBeforeBaseline } from "../src/log/known-since.js";
import { type RecordId, recordKeys } from "../src/log/record-id.js";
import { type EntityReference, trackedTableOf } from "../src/log/tracked-tables.js";
import { asRecorded } from "./as-recorded.js";
import { exists, foldQuery, recordKey } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { explainingFolds, foldFailure } from "./fold-failure.js";
import { type FoldTable, foldTables, refuseStale } from "./fold-table.js";
import type { CheckedHandlers } from "./handlers.js";
import { invalidRows } from "./invalid-rows.js";
import { keysAt } from "./keys-at.js";
import { makePlan, type Plan } from "./plan.js";
import { generatedColumns } from "./rewind.js";
import { stageOldVersions } from "./stage.js";
import { refuseUnknownPast } from "./unknown-shapes.js";

export interface AtOptions {
  /** Fill sensitive properties too. (Default: false, they are undefined) */
  readonly sensitive?: boolean | undefined;
}

const atOptions = section({ sensitive: trueOrFalse.byDefault(false) } satisfies OptionsOf<AtOptions>);

/**
 * One record, or several, as they were at a point in time, as entities; null where one did not exist. Tables are
 * untouched and only the records asked for are folded, unless events of old versions have overrides, which may write to
 * any record.
 */
export async function at<T extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityReference<T>,
  id: RecordId | readonly RecordId[],
  point: PointInTime,
  options: AtOptions = {},
): Promise<T | null | (T | null)[]> {
  const { sensitive } = checkOptions("at", options, atOptions);
  const ids: readonly RecordId[] = Array.isArray(id) ? id : [id as RecordId];
  const metadata = metadataOf(dataSource, entity);
  const work = withPooledSession(dataSource, async (session) => {
    const cut = await resolvePoint(session, dataSource, point);
    return foldingRecords(session, dataSource, async () => {
      const { keys, table, source, query, plan } = await recordFold(session, dataSource, entity, ids, cut);
      // Values as the application's own parsers give them, so that entities come out as TypeORM would load them.
      const rows = await session.typedRows(query).catch((error: unknown) => {
        throw invalidRows(foldFailure(error, source, table), { tables: [table], plan });
      });
      return keys.map((key) => {
        const row = rows.find((candidate) => candidate[recordKey.slice(1, -1)] === key);
        return row === undefined ? null : entityOf<T>(dataSource, table, row, sensitive, metadata);
      });
    });
  });
  const found = await asOwner(dataSource, work);
  return Array.isArray(id) ? found : (found[0] ?? null);
}

interface RecordFold {
  /** The records' keys in the log at the point, in the order in which they were asked for. */
  readonly keys: readonly string[];
  /** Their keys today. */
  readonly asked: readonly string[];
  readonly table: FoldTable;
  readonly plan: Plan;
  readonly source: FoldSource;
  readonly query: Statement;
}

/** The fold of a few records of one table at a cut. */
export async function recordFold(
  session: Session,
  dataSource: DataSource,
  entity: EntityReference,
  ids: readonly RecordId[],
  cut: Cut,
  label = "at",
): Promise<RecordFold> {
  const { schema } = attachmentOf(dataSource);
  const { tableName } = trackedTableOf(dataSource, entity);
  const tables = await foldTables(session, dataSource, { auditOnly: true, allowStale: true, allowOthers: true });
  const found = tables.find((candidate) => candidate.tableName === tableName) as FoldTable;
  const [table = found] = await asRecorded(session, schema, [found]);
  refuseUnknownPast([table], cut);
  const asked = await recordKeys(session, schema, table, ids);
  const keys = await keysAt(session, schema, table, asked, cut);
  await refuseBeforeBaseline(session, dataSource, cut, [table], keys);
  const only = sql`e.record_key = any (${keys})`;
  const own = sql`e.table_name = any (${table.logNames}) and ${only}`;
  // An override may write any record; without one the rest of the log, which may be large, is not even counted.
  const { overrides } = attachmentOf(dataSource).replay as CheckedHandlers;
  refuseStale(overrides.length > 0 ? tables : [table]);
  const plan = await makePlan(session, dataSource, cut, overrides.length > 0 ? undefined : own);
  const staged = `chronicle_staged_${label}`;
  await stageOldVersions(session, dataSource, { plan, cut, tables, staged, step: () => undefined });
  const source = { schema, cut, plan, staged: `pg_temp.${staged}`, only };
  const generated = raw(await generatedColumns(session, table));
  const query = sql`select f.*${generated} from (${foldQuery(source, table)}) f where ${raw(exists)}`;
  return { keys, asked, table, plan, source, query };
}

/** Runs work that folds single records in one snapshot; one that cannot be folded is named. */
export function foldingRecords<T>(session: Session, dataSource: DataSource, work: () => Promise<T>): Promise<T> {
  const tables = () => foldTables(session, dataSource, { auditOnly: true, allowStale: true, allowOthers: true });
  return explainingFolds(session, dataSource, tables, () =>
    snapshotOfLog(session, attachmentOf(dataSource).schema, work),
  );
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
  return childrenOf(metadata).find((child) => String(child.discriminatorValue) === String(discriminator)) ?? metadata;
}
