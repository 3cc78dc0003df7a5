import type { DataSource } from "typeorm";
import { outcomes, severities, type Outcome, type Severity } from "../../entities/activity.js";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import type { Actor } from "../core/request-context.js";
import { refuseNoObject } from "../core/options.js";
import { asReader } from "../core/rights.js";
import { withPooledSession } from "../core/session.js";
import { join, raw, sql, type Statement } from "../core/sql.js";
import { endpointOf, keptAddress } from "./address.js";
import { actionCondition } from "./alerts.js";
import type { ActivityEntry } from "./entry.js";
import { recorderOf } from "./lifecycle.js";
import { entryColumns, entryOf } from "./table.js";

type OneOrMore<T> = T | readonly T[];

/** Which entries; what is left out is not asked for. A list means any of it. */
export interface ActivityFilter {
  /** `*` stands for anything: "account.*". */
  readonly action?: OneOrMore<string> | undefined;
  readonly outcome?: OneOrMore<Outcome> | undefined;
  readonly severity?: OneOrMore<Severity> | undefined;
  readonly category?: OneOrMore<string> | undefined;
  readonly strategy?: OneOrMore<string> | undefined;
  readonly subject?: OneOrMore<string> | undefined;
  readonly tenant?: OneOrMore<string | number> | undefined;
  readonly log?: OneOrMore<string> | undefined;
  readonly source?: "server" | "client" | undefined;
  readonly correlationId?: OneOrMore<string> | undefined;
  /** An id, or a kind and perhaps an id. */
  readonly actor?: string | number | bigint | (Pick<Actor, "type"> & Partial<Pick<Actor, "id">>) | undefined;
  /** In any spelling; compared in the form in which addresses are kept. */
  readonly ip?: string | undefined;
  readonly resource?: string | { readonly type: string; readonly key?: unknown } | undefined;
  /** Inclusive. */
  readonly from?: Date | string | undefined;
  /** Inclusive. */
  readonly to?: Date | string | undefined;
}

export interface SearchOptions extends ActivityFilter {
  /** (Default: all) */
  readonly limit?: number | undefined;
}

/** Entries fetched at a time. */
const page = 1_000;

/** The entries that match, newest first, in pages by key: none is skipped or repeated while others are written. */
export async function* search(dataSource: DataSource, options: SearchOptions = {}): AsyncGenerator<ActivityEntry> {
  refuseNoObject("search", options);
  const { limit = Number.POSITIVE_INFINITY, ...filter } = options;
  if (!(limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)))
    fail("limit", "a whole number from 0", limit);
  const conditions = conditionsOf(dataSource, filter);
  await recorderOf(dataSource).flushDatabase();
  const { schema } = attachmentOf(dataSource);
  let after: Statement = sql`true`;
  for (let given = 0; given < limit;) {
    const size = Math.min(page, limit - given);
    const rows = await asReader(
      dataSource,
      withPooledSession(dataSource, (session) =>
        session.rows(sql`select ${entryColumns} from ${raw(schema)}.activity a where ${conditions} and ${after}
          order by occurred_at desc, id desc limit ${size}`),
      ),
    );
    for (const row of rows) yield entryOf(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < size) return;
    given += rows.length;
    after = sql`(a.occurred_at, a.id) < (${last.cursor}::timestamptz, ${last.id}::uuid)`;
  }
}

const equal = ["outcome", "severity", "category", "strategy", "subject", "tenant", "log", "source"] as const;
/** What a filter is made of. */
export const filterKeys: readonly string[] = [
  ...equal,
  "correlationId",
  "action",
  "actor",
  "ip",
  "resource",
  "from",
  "to",
];

/** A filter as SQL over `activity a`. Throws OPTIONS_INVALID. */
export function conditionsOf(dataSource: DataSource, filter: ActivityFilter): Statement {
  for (const key of Object.keys(filter))
    if (!filterKeys.includes(key)) fail("the filter", `made of ${filterKeys.join(", ")}`, key);
  oneOf("outcome", filter.outcome, outcomes);
  oneOf("severity", filter.severity, severities);
  const { action, actor, ip, resource, from, to, correlationId } = filter;
  for (const name of action === undefined ? [] : [action].flat())
    if (typeof name !== "string") fail("action", "a string, or a list of them", name);
  if (actor === null || (typeof actor === "object" && typeof actor.type !== "string"))
    fail("actor", "an id, or an object { type, id? }", actor);
  if (resource === null || (typeof resource === "object" && typeof resource.type !== "string"))
    fail("resource", "a type, or an object { type, key? }", resource);
  const { maker, options } = recorderOf(dataSource);
  const conditions: Statement[] = [sql`true`];
  for (const name of equal) {
    if (filter[name] !== undefined) conditions.push(isAny(name, filter[name]));
  }
  if (correlationId !== undefined) conditions.push(isAny("correlation_id", correlationId));
  if (action !== undefined) conditions.push(actionCondition([action].flat()));
  if (typeof actor === "object") conditions.push(sql`a.actor_type = ${actor.type}`);
  const actorId = typeof actor === "object" ? actor.id : actor;
  if (actorId !== undefined) conditions.push(sql`a.actor_id = ${String(actorId)}`);
  if (ip !== undefined) {
    const endpoint = endpointOf(ip);
    if (endpoint === null) return fail("ip", "an address", ip);
    conditions.push(sql`a.ip = ${keptAddress(endpoint.ip, options)}`);
  }
  if (typeof resource === "string") conditions.push(sql`a.resource_type = ${resource}`);
  else if (resource !== undefined) {
    conditions.push(sql`a.resource_type = ${resource.type}`);
    if (resource.key !== undefined) conditions.push(sql`a.resource_key = ${maker.keptKey(resource.key)}`);
  }
  if (from !== undefined) conditions.push(sql`a.occurred_at >= ${timeOf("from", from)}`);
  if (to !== undefined) conditions.push(sql`a.occurred_at <= ${timeOf("to", to)}`);
  return join(conditions, " and ");
}

function isAny(column: string, value: unknown): Statement {
  const values = [value].flat().map(String);
  return values.length === 1 ? sql`a.${raw(column)} = ${values[0]}` : sql`a.${raw(column)} = any (${values}::text[])`;
}

function timeOf(what: string, value: Date | string): Date {
  const at = value instanceof Date ? value : new Date(/(?:Z|[+-]\d{2}:?\d{2})$/.test(value) ? value : Number.NaN);
  if (Number.isNaN(at.getTime())) fail(what, "a Date or an ISO 8601 time with an offset", value);
  return at;
}

function oneOf(what: string, value: unknown, words: readonly string[]): void {
  for (const word of value === undefined ? [] : [value].flat())
    if (!words.includes(word as string)) fail(what, words.join(", "), word);
}

function fail(what: string, wanted: string, got: unknown): never {
  throw new EventLogError("OPTIONS_INVALID", `activity: expected ${what} to be ${wanted}, got: ${String(got)}.`);
}
