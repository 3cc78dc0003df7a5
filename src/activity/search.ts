import type { DataSource } from "typeorm";
import { outcomes, severities, type Outcome, type Severity } from "../../entities/activity.js";
import { attachmentOf } from "../core/attachment.js";
import type { Actor } from "../core/request-context.js";
import { checkOptions, type OptionsOf, section, value } from "../core/option-checker.js";
import { limit, oneOf, oneOrMore, text, word } from "../core/option-kinds.js";
import { asReader } from "../core/rights.js";
import { numberOf, withPooledSession } from "../core/session.js";
import { join, raw, sql, type Statement } from "../core/sql.js";
import { endpointOf, keptAddress } from "./address.js";
import { actionCondition } from "./alerts.js";
import { PageLength } from "../log/page.js";
import type { ActivityEntry } from "./entry.js";
import { recorderOf } from "./lifecycle.js";
import { entryOf, entryPage } from "./table.js";

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

const words = oneOrMore("texts", value<string>("text", isText));

const time = value<Date | string>(
  "a Date or an ISO 8601 time with an offset",
  (given) => (given instanceof Date || typeof given === "string") && timeOf(given) !== null,
);

export const filterOptions = {
  action: oneOrMore("actions", text("an action")),
  outcome: oneOrMore("outcomes", oneOf(...outcomes)),
  severity: oneOrMore("severities", oneOf(...severities)),
  category: words,
  strategy: words,
  subject: words,
  tenant: oneOrMore("tenants", word),
  log: words,
  source: oneOf("server", "client"),
  correlationId: words,
  actor: value("an id, or an object { type, id? }", isTyped),
  ip: value("an address", (given) => typeof given === "string" && endpointOf(given) !== null),
  resource: value("a type, or an object { type, key? }", isTyped),
  from: time,
  to: time,
} satisfies OptionsOf<ActivityFilter>;

const searchOptions = section({
  ...filterOptions,
  limit: limit.byDefault(Number.POSITIVE_INFINITY),
} satisfies OptionsOf<SearchOptions>);

/**
 * The entries that match, newest first, in pages by key: none is skipped or repeated while others are written. Memory
 * stays flat however many they are, and however large.
 */
export async function* search(dataSource: DataSource, options: SearchOptions = {}): AsyncGenerator<ActivityEntry> {
  const { limit: most, ...filter } = checkOptions("search", options, searchOptions);
  const conditions = conditionsOf(dataSource, filter);
  await recorderOf(dataSource).flushDatabase();
  const { schema } = attachmentOf(dataSource);
  let after: Statement = sql`true`;
  const pages = new PageLength();
  for (let given = 0, mayBeMore = true; mayBeMore && given < most;) {
    const asked = pages.next(most - given);
    const ids = sql`
      select a.id from ${raw(schema)}.activity a where ${conditions} and ${after}
      order by a.occurred_at desc, a.id desc limit ${asked}`;
    const rows = await asReader(
      dataSource,
      withPooledSession(dataSource, (session) => session.rows(entryPage(schema, ids))),
    );
    for (const row of rows) yield entryOf(row);
    given += rows.length;
    mayBeMore = pages.learn(asked, numberOf(rows[0], "found"), rows.length);
    after = sql`(a.occurred_at, a.id) < (${rows.at(-1)?.cursor}::timestamptz, ${rows.at(-1)?.id}::uuid)`;
  }
}

const equal = ["outcome", "severity", "category", "strategy", "subject", "tenant", "log", "source"] as const;

/** A filter, which was checked, as SQL over `activity a`. */
export function conditionsOf(dataSource: DataSource, filter: ActivityFilter): Statement {
  const { action, actor, ip, resource, from, to, correlationId } = filter;
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
    const address = endpointOf(ip)?.ip ?? ip;
    conditions.push(sql`a.ip = ${keptAddress(address, options)}`);
  }
  if (typeof resource === "string") conditions.push(sql`a.resource_type = ${resource}`);
  else if (resource !== undefined) {
    conditions.push(sql`a.resource_type = ${resource.type}`);
    if (resource.key !== undefined) conditions.push(sql`a.resource_key = ${maker.keptKey(resource.key)}`);
  }
  if (from !== undefined) conditions.push(sql`a.occurred_at >= ${timeOf(from)}`);
  if (to !== undefined) conditions.push(sql`a.occurred_at <= ${timeOf(to)}`);
  return join(conditions, " and ");
}

function isAny(column: string, value: unknown): Statement {
  const values = [value].flat().map(String);
  return values.length === 1 ? sql`a.${raw(column)} = ${values[0]}` : sql`a.${raw(column)} = any (${values}::text[])`;
}

function timeOf(given: Date | string): Date | null {
  const text = typeof given === "string" && !/(?:Z|[+-]\d{2}:?\d{2})$/.test(given) ? Number.NaN : given;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? null : at;
}

function isText(given: unknown): boolean {
  return typeof given === "string" || typeof given === "number";
}

/** A word by itself, or an object that says of which type it is. */
function isTyped(given: unknown): boolean {
  if (typeof given === "object") return given !== null && "type" in given && typeof given.type === "string";
  return ["string", "number", "bigint"].includes(typeof given);
}
