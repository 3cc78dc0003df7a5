import { parseExactly } from "../core/exact-json.js";
import type { TextRow } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import type { Origin } from "../../entities/event.js";
import type { Action } from "../core/tracked.js";
import { pageOf } from "./page.js";

/** One recorded change. `Columns` is the row as columns, spelled as the database spells them. */
export interface RecordedEvent<Columns = Record<string, unknown>> {
  /** Place in the whole log; gaps are normal. */
  readonly position: bigint;
  /** The tracked name. */
  readonly entity: string;
  /** Primary key columns and their values. */
  readonly recordId: Record<string, unknown>;
  readonly action: Action;
  /** The request context's, or "soft-remove", "recover". */
  readonly actionName: string | null;
  /** "capture" for a write of the application's; else what the log itself did. Nobody else can say it. */
  readonly origin: Origin;
  /** The version of the data's shape when it was recorded. */
  readonly version: number;
  /** create: the whole row; update: the changed columns; destroy: {}. int8 and numeric are strings. */
  readonly data: Partial<Columns>;
  /** create: {}; update: the old values of the changed columns; destroy: the whole row. */
  readonly previous: Partial<Columns>;
  readonly actor: { readonly type: string; readonly id: string; readonly name: string | null } | null;
  readonly metadata: Record<string, unknown>;
  readonly tenant: string | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  /** The id of the key that signed who and why (`context.key`). Null: any role that may write can have said it. */
  readonly signedBy: string | null;
  /** The same for all events of one database transaction. */
  readonly transactionId: bigint;
  /** By the database's clock. */
  readonly occurredAt: Date;
  /**
   * Only there, and true, if the event is more than 128 MB as text, or nested some 10,000 levels deep: recordId, data, previous and metadata are left out,
   * given as {}, and other texts are cut off. An event is never written so large; one that is there was put there by
   * other means.
   */
  readonly tooLarge?: true;
  /** Positions and transaction ids as strings, so that `res.json(event)` works. */
  toJSON(): object;
}

/** What of an event is read: without what is kept apart, unless said otherwise. */
interface EventReading {
  readonly data: string;
  readonly previous: string;
  /** What else is joined, and selected. */
  readonly joins?: string;
  readonly columns?: string;
}

const asReadersSeeIt: EventReading = {
  data: "case when l.data is null then e.data else e.data || l.data end",
  previous: "case when l.data is null then e.previous else e.previous || l.previous end",
};

/**
 * A statement for the events whose positions a query gives, in its order, as many as make a page: for `eventOf`. Numbers
 * that JavaScript would round are made strings here, before any JSON.parse. Of an event that is too large, nothing is
 * read that could be large.
 */
export function eventPage(schema: string, positions: Statement, reading: EventReading = asReadersSeeIt): Statement {
  const { data, previous, joins = "", columns = "" } = reading;
  const s = raw(schema);
  const digits = (value: string) =>
    `case
      when not p.fits then '{}'
      when t.digit_columns is null then ${value}
      else ${schema}.digits_as_text(${value}, t.digit_columns)
    end`;
  const textColumns = texts.map((name) => `case when p.fits then e.${name} else left(e.${name}, 100) end as ${name}`);
  const page = pageOf(schema, positions, {
    source: sql`${s}.event e left join ${s}.event_late l on l.position = e.position ${raw(joins)}`,
    key: "e.position",
    objects: ["e.record_id", data, previous, "e.metadata"],
    texts: texts.map((name) => `e.${name}`),
  });
  return sql`
    select e.position, e.entity, ${raw(digits("e.record_id"))} as record_id, e.action, e.origin, e.version,
      ${raw(digits(data))} as data, ${raw(digits(previous))} as previous, to_jsonb(t.json_columns) as json_columns,
      case when p.fits then e.metadata end as metadata, ${raw(textColumns.join(", "))}, e.transaction_id,
      extract(epoch from e.occurred_at) * 1000 as occurred_at, p.fits, p.found${raw(columns)}
    from ${page}
    join ${s}.event e on e.position = p.key
    left join ${s}.event_late l on l.position = e.position
    left join ${s}.tracked t on t.table_name = e.table_name or e.table_name = any (t.former_tables)
    ${raw(joins)}
    where p.belongs
    order by p.ordinal`;
}

/** Texts that are as the request context has them. */
const texts = [
  "action_name",
  "actor_type",
  "actor_id",
  "actor_name",
  "tenant",
  "correlation_id",
  "causation_id",
  "signed_by",
];

export function eventOf<Columns>(row: TextRow): RecordedEvent<Columns> {
  const columns = (json: string | null | undefined) => readableRow(json, row.json_columns) as Partial<Columns>;
  return {
    position: BigInt(row.position ?? 0),
    entity: row.entity ?? "",
    recordId: parsed(row.record_id) ?? {},
    action: row.action as Action,
    actionName: row.action_name ?? null,
    origin: row.origin as Origin,
    version: Number(row.version),
    data: columns(row.data),
    previous: columns(row.previous),
    actor:
      row.actor_type == null ? null : { type: row.actor_type, id: row.actor_id ?? "", name: row.actor_name ?? null },
    metadata: parsed(row.metadata) ?? {},
    tenant: row.tenant ?? null,
    correlationId: row.correlation_id ?? null,
    causationId: row.causation_id ?? null,
    signedBy: row.signed_by ?? null,
    transactionId: BigInt(row.transaction_id ?? 0),
    occurredAt: new Date(Math.floor(Number(row.occurred_at))),
    ...(row.fits === "f" ? { tooLarge: true } : {}),
    toJSON() {
      return { ...this, position: String(this.position), transactionId: String(this.transactionId), toJSON: undefined };
    },
  };
}

/**
 * A row's image for a reader. JSON columns are recorded as text where their image would not come back equal: a reader
 * gets the document.
 */
export function readableRow(
  json: string | null | undefined,
  jsonColumns: string | null | undefined,
): Record<string, unknown> {
  const data = parsed<Record<string, unknown>>(json) ?? {};
  for (const name of parsed<string[]>(jsonColumns) ?? []) {
    const value = Object.hasOwn(data, name) ? data[name] : undefined;
    if (typeof value === "string") data[name] = documentOf(value);
  }
  return data;
}

/** A document that is recorded as text; the text itself if the column did not hold documents when it was written. */
function documentOf(text: string): unknown {
  try {
    return parseExactly(text);
  } catch {
    return text;
  }
}

function parsed<T>(json: string | null | undefined): T | undefined {
  return json == null ? undefined : (parseExactly(json) as T);
}
