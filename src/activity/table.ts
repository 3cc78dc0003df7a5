import type { Outcome, RequestFacts, Severity } from "../../entities/activity.js";
import { activityColumns } from "../../entities/activity-columns.js";
import type { TextRow } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import { pageOf } from "../log/page.js";
import type { ActivityEntry } from "./entry.js";

/**
 * Adds entries, in a function that may: the application's role needs no right on the table. `beside` is SQL for what is
 * done with it. Every name is qualified.
 */
export function recordEntries(schema: string, entries: readonly ActivityEntry[], beside?: Statement): Statement {
  const json = JSON.stringify(entries.map(rowOf));
  return sql`select ${raw(schema)}.record_activity(${json}::pg_catalog.json)${beside === undefined ? raw("") : sql`, ${beside}`}`;
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

const typed = activityColumns.map((column) => column.split(" ") as [name: string, type: string]);
const [objects, texts] = ["jsonb", "text"].map((of) => typed.filter(([, type]) => type === of).map(([name]) => name));

/**
 * A statement for the entries whose ids a query gives, in its order, as many as make a page: for `entryOf`. `cursor` is
 * exact to the microsecond, whatever the session's time zone. Of an entry that is too large, nothing is read that could
 * be large.
 */
export function entryPage(schema: string, ids: Statement): Statement {
  const page = pageOf(schema, ids, {
    source: sql`${raw(schema)}.activity a`,
    key: "a.id",
    objects: (objects ?? []).map((name) => `a.${name}`),
    texts: (texts ?? []).map((name) => `a.${name}`),
  });
  const read = typed
    .filter(([name]) => name !== "occurred_at")
    .map(([name, type]) => {
      if (type === "jsonb") return `case when p.fits then a.${name} end as ${name}`;
      return type === "text" ? `case when p.fits then a.${name} else left(a.${name}, 100) end as ${name}` : `a.${name}`;
    });
  return sql`
    select ${raw(read.join(", "))}, a.occurred_at::text as cursor, extract(epoch from a.occurred_at) * 1000 as occurred_ms,
      p.fits, p.found
    from ${page} join ${raw(schema)}.activity a on a.id = p.key
    where p.belongs order by p.ordinal`;
}

export function entryOf(row: TextRow): ActivityEntry {
  const json = (name: string, none = "null") => JSON.parse(row[name] ?? none) as unknown;
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
    params: json("params", "{}") as Record<string, unknown>,
    details: json("details", "{}") as Record<string, unknown>,
    error: text("error"),
    request: json("request") as RequestFacts | null,
    correlationId: text("correlation_id"),
    causationId: text("causation_id"),
    traceId: text("trace_id"),
    spanId: text("span_id"),
    node: row.node ?? "",
    source: row.source as ActivityEntry["source"],
    ...(row.fits === "f" ? { tooLarge: true } : {}),
  };
}
