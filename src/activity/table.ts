import type { Outcome, RequestFacts, Severity } from "../../entities/activity.js";
import { activityColumns } from "../../entities/activity-columns.js";
import type { TextRow } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import type { ActivityEntry } from "./entry.js";

const names = activityColumns.map((column) => column.split(" ")[0] ?? "");

/** Adds entries, in a function that may: the application's role needs no right on the table. */
export function recordEntries(schema: string, entries: readonly ActivityEntry[]): Statement {
  return sql`select ${raw(schema)}.record_activity(${JSON.stringify(entries.map(rowOf))}::pg_catalog.json)`;
}

/** Without what is null: the fewer keys, the less there is to parse. As json, it is parsed a fifth faster than as jsonb. */
function rowOf(entry: ActivityEntry): Record<string, unknown> {
  return {
    id: entry.id,
    occurred_at: entry.occurredAt,
    log: entry.log,
    action: entry.action,
    category: entry.category ?? undefined,
    outcome: entry.outcome,
    severity: entry.severity,
    actor_type: entry.actor?.type,
    actor_id: entry.actor?.id,
    actor_name: entry.actor?.name ?? undefined,
    subject: entry.subject ?? undefined,
    tenant: entry.tenant ?? undefined,
    strategy: entry.strategy ?? undefined,
    resource_type: entry.resource?.type,
    resource_key: entry.resource?.key ?? undefined,
    params: entry.params,
    details: entry.details,
    error: entry.error ?? undefined,
    request: entry.request ?? undefined,
    correlation_id: entry.correlationId ?? undefined,
    causation_id: entry.causationId ?? undefined,
    trace_id: entry.traceId ?? undefined,
    span_id: entry.spanId ?? undefined,
    node: entry.node,
    source: entry.source,
  };
}

/** What is selected for an entry; `cursor` is exact to the microsecond, whatever the session's time zone. */
export const entryColumns = raw(
  `${names.filter((name) => name !== "occurred_at").join(", ")}, occurred_at::text as cursor, extract(epoch from occurred_at) * 1000 as occurred_ms`,
);

export function entryOf(row: TextRow): ActivityEntry {
  const json = (name: string) => JSON.parse(row[name] ?? "null") as unknown;
  const text = (name: string) => row[name] ?? null;
  return {
    id: row.id ?? "",
    occurredAt: new Date(Math.floor(Number(row.occurred_ms))),
    log: row.log ?? "",
    action: row.action ?? "",
    category: text("category"),
    outcome: row.outcome as Outcome,
    severity: row.severity as Severity,
    actor: row.actor_type == null ? null : { type: row.actor_type, id: row.actor_id ?? "", name: text("actor_name") },
    subject: text("subject"),
    tenant: text("tenant"),
    strategy: text("strategy"),
    resource: row.resource_type == null ? null : { type: row.resource_type, key: text("resource_key") },
    params: json("params") as Record<string, unknown>,
    details: json("details") as Record<string, unknown>,
    error: text("error"),
    request: json("request") as RequestFacts | null,
    correlationId: text("correlation_id"),
    causationId: text("causation_id"),
    traceId: text("trace_id"),
    spanId: text("span_id"),
    node: row.node ?? "",
    source: row.source as ActivityEntry["source"],
  };
}
