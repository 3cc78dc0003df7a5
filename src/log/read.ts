import type { DataSource } from "typeorm";
import { type Origin, origins } from "../../entities/event.js";
import { attachmentOf } from "../core/attachment.js";
import { checkOptions, type OptionsOf, section, value } from "../core/option-checker.js";
import { anything, limit, oneOf, text, word } from "../core/option-kinds.js";
import type { Actor } from "../core/request-context.js";
import { asReader } from "../core/rights.js";
import { numberOf, type Session, withPooledSession } from "../core/session.js";
import { join, raw, sql, type Statement } from "../core/sql.js";
import { type Action, actions } from "../core/tracked.js";
import { afterCut, inCut } from "./cut.js";
import { eventOf, eventPage, type RecordedEvent } from "./event.js";
import { PageLength } from "./page.js";
import { type PointInTime, resolvePoint } from "./point-in-time.js";
import { idColumns, recordKeys, type RecordId } from "./record-id.js";
import { explainMissing } from "./status.js";
import {
  entityOption,
  type EntityReference,
  namesOf,
  trackedNameOf,
  trackedTableOf,
  trackedTables,
} from "./tracked-tables.js";

export interface EventFilter {
  readonly entity?: EntityReference | undefined;
  /** With `entity`. */
  readonly recordId?: RecordId | undefined;
  readonly action?: Action | undefined;
  readonly actionName?: string | undefined;
  /** "capture" for the application's own writes; else what the log itself did, such as "migration" or "rewind". */
  readonly origin?: Origin | undefined;
  readonly actor?: { readonly type: string; readonly id?: Actor["id"] | undefined } | undefined;
  readonly tenant?: string | number | undefined;
  readonly correlationId?: string | undefined;
  /** Only events after this position. */
  readonly after?: bigint | undefined;
  /** Only events after this point in time. */
  readonly from?: PointInTime | undefined;
  /** Only events up to this point in time, inclusive. */
  readonly to?: PointInTime | undefined;
  /** By position. (Default: "asc") */
  readonly order?: "asc" | "desc" | undefined;
  /** The most events to give. (Default: all) */
  readonly limit?: number | undefined;
}

const actor = value<EventFilter["actor"]>(
  "an object { type, id? }",
  (given) => typeof (given as Partial<Actor> | null)?.type === "string",
);

const eventFilter = section({
  entity: entityOption,
  recordId: anything(),
  action: oneOf(...actions),
  actionName: text("an action's name"),
  origin: oneOf(...origins),
  actor,
  tenant: word,
  correlationId: text("a correlation id"),
  after: value("a bigint position", (given) => typeof given === "bigint"),
  from: anything(),
  to: anything(),
  order: oneOf("asc", "desc").byDefault("asc"),
  limit: limit.byDefault(Number.POSITIVE_INFINITY),
} satisfies OptionsOf<EventFilter>).also(({ recordId, entity }, wrong) => {
  if (recordId !== undefined && entity === undefined) wrong("entity", "given with recordId", entity);
});

/**
 * The events that a filter lets through, by position, in pages: memory stays flat however many there are, and however
 * large.
 * Rows are as they were stored, whatever their version.
 */
export async function* events(dataSource: DataSource, given: EventFilter = {}): AsyncGenerator<RecordedEvent> {
  const filter = checkOptions("events", given, eventFilter);
  const { schema } = attachmentOf(dataSource);
  const { order, limit: most } = filter;
  const read = <T>(work: (session: Session) => Promise<T>) => asReader(dataSource, withPooledSession(dataSource, work));
  const conditions = await read((session) => conditionsOf(session, dataSource, filter));
  let last: bigint | undefined;
  const pages = new PageLength();
  for (let count = 0, mayBeMore = true; mayBeMore && count < most;) {
    const further = last === undefined ? [] : [order === "asc" ? sql`e.position > ${last}` : sql`e.position < ${last}`];
    const all = join([sql`true`, ...conditions, ...further], " and ");
    const asked = pages.next(most - count);
    const positions = sql`
      select e.position from ${raw(schema)}.event e where ${all} order by e.position ${raw(order)} limit ${asked}`;
    const rows = await read((session) => session.rows(eventPage(schema, positions)));
    for (const row of rows) {
      const event = eventOf<Record<string, unknown>>(row);
      yield event;
      last = event.position;
    }
    count += rows.length;
    mayBeMore = pages.learn(asked, numberOf(rows[0], "found"), rows.length);
  }
}

/** The events of one record, oldest first. */
export async function history<Row = Record<string, unknown>>(
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
): Promise<RecordedEvent<Row>[]> {
  idColumns(trackedTableOf(dataSource, entity), id); // an id that is missing is refused: it would be a filter left out
  const found: RecordedEvent<Row>[] = [];
  for await (const event of events(dataSource, { entity, recordId: id })) found.push(event as RecordedEvent<Row>);
  return found;
}

async function ofRecord(
  session: Session,
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
): Promise<Statement> {
  const { schema } = attachmentOf(dataSource);
  const table = trackedTableOf(dataSource, entity);
  const [key] = await recordKeys(session, schema, table, [id]).catch((error: unknown) =>
    explainMissing(session, dataSource, error),
  );
  return sql`e.table_name = any (${raw(schema)}.table_names(${table.tableName})) and e.record_key = ${key}`;
}

/**
 * By table, so that names it had before count too; a class that is gone by the name that its events carry.
 * Throws NOT_TRACKED for what is neither.
 */
async function ofEntity(session: Session, dataSource: DataSource, entity: EntityReference): Promise<Statement> {
  const { schema } = attachmentOf(dataSource);
  if (typeof entity === "string") {
    const isTracked = trackedTables(dataSource)
      .flatMap(namesOf)
      .some(({ entity: name, formerly }) => name === entity || formerly.includes(entity));
    if (!isTracked) {
      const events = sql`select exists (select from ${raw(schema)}.event where entity = ${entity}) as found`;
      if ((await session.row(events))?.found === "t") return sql`e.entity = ${entity}`;
    }
  }
  const table = trackedTableOf(dataSource, entity);
  const name = trackedNameOf(dataSource, entity);
  if (name === table.entity) return sql`e.table_name = any (${raw(schema)}.table_names(${table.tableName}))`;
  const formerly = namesOf(table).find((child) => child.entity === name)?.formerly ?? [];
  return sql`e.entity = any (${[name, ...formerly]})`;
}

async function conditionsOf(session: Session, dataSource: DataSource, filter: EventFilter): Promise<Statement[]> {
  const { entity, recordId, action, actionName, origin, actor, tenant, correlationId, after, from, to } = filter;
  const conditions: Statement[] = [];
  if (entity !== undefined && recordId !== undefined)
    conditions.push(await ofRecord(session, dataSource, entity, recordId));
  else if (entity !== undefined) conditions.push(await ofEntity(session, dataSource, entity));
  if (action !== undefined) conditions.push(sql`e.action = ${action}`);
  if (actionName !== undefined) conditions.push(sql`e.action_name = ${actionName}`);
  if (origin !== undefined) conditions.push(sql`e.origin = ${origin}`);
  if (actor !== undefined) conditions.push(sql`e.actor_type = ${actor.type}`);
  if (actor?.id !== undefined) conditions.push(sql`e.actor_id = ${String(actor.id)}`);
  if (tenant !== undefined) conditions.push(sql`e.tenant = ${String(tenant)}`);
  if (correlationId !== undefined) conditions.push(sql`e.correlation_id = ${correlationId}`);
  if (after !== undefined) conditions.push(sql`e.position > ${after}`);
  if (from !== undefined) {
    const cut = await resolvePoint(session, dataSource, from);
    conditions.push(afterCut(cut));
  }
  if (to !== undefined) {
    const cut = await resolvePoint(session, dataSource, to);
    conditions.push(inCut(cut));
  }
  return conditions;
}
