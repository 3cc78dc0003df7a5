import type { DataSource } from "typeorm";
import { type Actor, eventLog, EventLogError, type RecordedEvent } from "../index.js";
import { type EntityReference, trackedNameOf, trackedTableOf } from "../log/tracked-tables.js";

/** An event as an earlier release of the application would have stored it. */
export interface StoredEvent {
  /** The entity, or its name then. */
  readonly entity: EntityReference;
  /** Schema and table, such as "public.wallet", of an entity that is gone from the code. (Default: the entity's) */
  readonly table?: string | undefined;
  /** Primary key columns and their values. */
  readonly recordId: Readonly<Record<string, unknown>>;
  readonly action: RecordedEvent["action"];
  readonly version: number;
  /** Columns, spelled as the database spelled them then. (Default: {}) */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** (Default: {}) */
  readonly previous?: Readonly<Record<string, unknown>> | undefined;
  readonly actionName?: string | undefined;
  readonly actor?: Actor | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly tenant?: string | undefined;
  /** (Default: now) */
  readonly occurredAt?: Date | undefined;
}

/**
 * Puts an event at the end of the log as it stands here, whatever today's shape and version are: to test upcasters and overrides on
 * what production holds. Live tables are not touched. Needs the log's owner. Returns the event.
 * Throws NOT_TRACKED for an entity that is not in the code without a `table`, OPTIONS_INVALID.
 */
export async function storeEvent(dataSource: DataSource, event: StoredEvent): Promise<RecordedEvent> {
  const log = eventLog(dataSource);
  const { schema } = await log.status();
  const { entity, table, keyColumns } = placeOf(dataSource, event);
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  const { action, version, data = {}, previous = {}, actor, metadata = {} } = event;
  const recordId = JSON.stringify(event.recordId);
  const rows: { position: string }[] = await dataSource.query(
    `insert into ${quoted}.event (table_name, entity, record_id, record_key, action, version, data, previous, action_name,
       actor_type, actor_id, actor_name, metadata, tenant, occurred_at)
     values ($1, $2, $3::jsonb, ${quoted}.record_key($3::jsonb, $4::text[]), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, coalesce($15, clock_timestamp()))
     returning position::text as position`,
    [
      table,
      entity,
      recordId,
      keyColumns,
      action,
      version,
      JSON.stringify(data),
      JSON.stringify(previous),
      event.actionName ?? null,
      actor?.type ?? null,
      actor === undefined ? null : String(actor.id),
      actor?.name ?? null,
      JSON.stringify(metadata),
      event.tenant ?? null,
      event.occurredAt ?? null,
    ],
  );
  const position = BigInt(rows[0]?.position ?? 0);
  for await (const stored of log.events({ after: position - 1n, limit: 1 })) return stored;
  throw new EventLogError("NOT_INSTALLED", `The event at position ${position} cannot be read.`);
}

interface Place {
  readonly entity: string;
  readonly table: string;
  readonly keyColumns: readonly string[];
}

function placeOf(dataSource: DataSource, { entity, table, recordId }: StoredEvent): Place {
  if (table !== undefined) {
    if (typeof entity === "string") return { entity, table, keyColumns: Object.keys(recordId) };
    throw new EventLogError("OPTIONS_INVALID", "Expected `table` only with the name of an entity that is gone.");
  }
  const tracked = trackedTableOf(dataSource, entity);
  const missing = tracked.keyColumns.filter((name) => recordId[name] == null);
  if (missing.length > 0) {
    throw new EventLogError("OPTIONS_INVALID", `The recordId lacks ${missing.join(", ")}.`);
  }
  const name = typeof entity === "string" ? entity : trackedNameOf(dataSource, entity);
  return { entity: name, table: tracked.tableName, keyColumns: tracked.keyColumns };
}
