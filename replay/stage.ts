import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { eventOf, eventPage, type RecordedEvent } from "../src/log/event.js";
import { type Cut, inCut } from "../src/log/cut.js";
import { PageLength } from "../src/log/page.js";
import { trackedNameOf } from "../src/log/tracked-tables.js";
import type { SchemaHistory } from "../src/log/schema-history.js";
import { isFolded } from "./fold.js";
import type { FoldTable } from "./fold-table.js";
import { HandlerNames, type ShapedEvent, type Stretch, stretchesOf, Travel } from "./handler-shape.js";
import type { Row } from "./handlers.js";
import { OverrideState } from "./override-state.js";
import { overrideOf, type Plan } from "./plan.js";
import type { Scope } from "./scope.js";
import { StagedChanges } from "./staged-changes.js";

export interface StageReport {
  readonly upcast: number;
  readonly overridden: number;
  /** The position of the last event that a handler took, 0 where none did. */
  readonly last: bigint;
}

export interface Staging {
  readonly plan: Plan;
  readonly cut: Cut;
  /** Every table that an override may write. */
  readonly tables: readonly FoldTable[];
  /** What the temporary table is called. */
  readonly staged: string;
  /**
   * How long it is kept; "shared": it has a schema, is for other sessions too, and its maker drops it. (Default:
   * "transaction")
   */
  readonly lasts?: "transaction" | "session" | "shared" | undefined;
  readonly scope?: Scope | undefined;
  /** What was staged already, in the same session: only later events are. */
  readonly since?: StageReport | undefined;
  /** Called after each thousand events, and after the last. */
  readonly step: (events: number) => void;
}

const eventsOfStep = 1_000;

/** In how many steps the events are staged. */
export function stagingSteps({ kinds }: Plan): number {
  const handled = kinds.filter(({ handler }) => handler === "upcast" || handler === "override");
  return Math.ceil(handled.reduce((sum, { events }) => sum + events, 0) / eventsOfStep);
}

/**
 * Brings the events of old versions to today's shape: in position order through upcasters and overrides, into a
 * temporary table that the fold reads in their place. Only these events ever come to Node. Does nothing where no event
 * needs it.
 * Throws REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN.
 */
export async function stageOldVersions(
  session: Session,
  dataSource: DataSource,
  { plan, cut, tables, staged, lasts = "transaction", scope, since, step }: Staging,
): Promise<StageReport> {
  const report = { upcast: 0, overridden: 0, last: 0n, ...since };
  if (plan.handled === "") return report;
  const { schema } = attachmentOf(dataSource);
  const changes = new StagedChanges(session, schema, staged);
  if (since === undefined) await changes.prepare(lasts);
  const state = new OverrideState(session, dataSource, { plan, changes, tables, scope });
  const whole = {
    data: "(e.data || coalesce(s.data, '{}'))",
    previous: "(e.previous || coalesce(s.previous, '{}'))",
    joins: `left join ${schema}.event_sensitive s on s.position = e.position`,
    columns: ", t.table_name, e.record_key, e.shape",
  };
  const pages = new PageLength();
  let untold = 0;
  for (let mayBeMore = true; mayBeMore;) {
    const asked = pages.next();
    const positions = sql`
      select e.position
      from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
      where e.position > ${report.last} and ${inCut(cut)} and (${raw(plan.handled)}) and ${raw(isFolded)}
      order by e.position limit ${asked}`;
    const rows = await session.rows(eventPage(schema, positions, whole));
    for (const row of rows) {
      const event = eventOf<Row>(row);
      if (event.tooLarge) throw unreadable(event);
      report.last = event.position;
      const own = tables.find(({ tableName }) => tableName === row.table_name);
      const kind = { ...event, entity: nameToday(dataSource, event.entity, plan) };
      const shaped: ShapedEvent = { ...event, shape: row.shape ?? null, child: childOf(own, kind.entity) };
      const key = row.record_key ?? "";
      const handler = overrideOf(plan, kind);
      const stretches = stretchesOf(
        own?.history,
        shaped,
        plan.current.get(kind.entity)?.[event.action] ?? event.version,
      );
      // Without a stretch that is left, it was written under the new columns: no handler has to bring it there.
      if (handler !== undefined && (own?.history === undefined || stretches.length > 0)) {
        const change = own?.history?.changes[stretches[0]?.era ?? -1];
        const given = eventFor(own, shaped, event, stretches[0]);
        const names = new HandlerNames(change);
        await runOverride(event, state, async () => handler.handler(given, state.at(event, { own, key, names })));
        report.overridden++;
      } else if (own !== undefined) {
        const { recordId, position, action, tenant } = event;
        const data = upcastData(event, kind.entity, plan, { history: own.history, shaped, stretches });
        const id = new Travel(own.history, shaped, recordId).toToday();
        changes.add({ table: own, id, key, position, action, data, tenant });
        if (changes.isFull) await changes.flush();
        report.upcast++;
      }
    }
    untold += rows.length;
    mayBeMore = pages.learn(asked, numberOf(rows[0], "found"), rows.length);
    if (untold > 0 && (untold >= eventsOfStep || !mayBeMore)) {
      step(untold);
      untold = 0;
    }
  }
  await changes.flush();
  return report;
}

/** What a handler would make of an event without its data is not what happened. */
function unreadable({ position, entity, action, version }: RecordedEvent): EventLogError {
  return new EventLogError(
    "LIMIT_EXCEEDED",
    `The ${entity} ${action} of version ${version} at position ${position} is too large to be read by a handler.`,
    {
      hint: "It has more than 128 MB as text. Replay to a point before it.",
      details: { position, entity, action, version },
    },
  );
}

async function runOverride(event: RecordedEvent, state: OverrideState, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    if (state.isPending) throw new Error("it did not wait for its calls of state; await every one");
  } catch (cause) {
    if (cause instanceof EventLogError && cause.code !== "OPTIONS_INVALID") throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EventLogError(
      "REPLAY_OVERRIDE_FAILED",
      `The override of ${event.entity} ${event.action} version ${event.version} threw at position ${event.position}: ${why}.`,
      {
        details: { position: event.position, entity: event.entity, action: event.action, version: event.version },
        cause,
      },
    );
  } finally {
    await state.close();
  }
}

function nameToday(dataSource: DataSource, stored: string, plan: Plan): string {
  if (plan.current.has(stored)) return stored;
  try {
    return trackedNameOf(dataSource, stored);
  } catch {
    return stored; // the class is gone: only an override by its stored name can take it
  }
}

/** The event as its override knows it: in the last shape before the install that raised its version. */
function eventFor(
  own: FoldTable | undefined,
  shaped: ShapedEvent,
  event: RecordedEvent<Row>,
  stretch: Stretch | undefined,
): RecordedEvent<Row> {
  if (own?.history === undefined || stretch === undefined) return event;
  const brought = (row: Row) => {
    const travel = new Travel(own.history, shaped, row);
    travel.toHandlersOf(stretch);
    return travel.data;
  };
  const { data, previous, recordId } = event;
  return { ...event, data: brought(data), previous: brought(previous), recordId: brought(recordId) };
}

/** Under single-table inheritance, the discriminator's value of an entity. */
function childOf(own: FoldTable | undefined, entity: string): string {
  const children = Object.entries(own?.children ?? {});
  return children.find(([, child]) => child.entity === entity)?.[0] ?? "";
}

interface Way {
  readonly history: SchemaHistory | undefined;
  readonly shaped: ShapedEvent;
  readonly stretches: readonly Stretch[];
}

function upcastData(event: RecordedEvent<Row>, entity: string, plan: Plan, { history, shaped, stretches }: Way): Row {
  if (event.action === "destroy") return event.data;
  const travel = new Travel(history, shaped, event.data);
  for (const stretch of stretches) {
    travel.toHandlersOf(stretch);
    travel.data = upcastBetween(event, entity, plan, travel.data, stretch);
    travel.madeByHandlersOf(stretch);
  }
  return travel.toToday();
}

function upcastBetween(
  event: RecordedEvent<Row>,
  entity: string,
  { upcasters }: Plan,
  given: Row,
  { from: first, to }: Stretch,
): Row {
  let data = given;
  for (let version = first; version < to; version++) {
    const upcaster = upcasters.find(
      ({ name, action, from }) => name === entity && action === event.action && from === version,
    );
    try {
      data = upcaster?.upcast({ ...data }) ?? data;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EventLogError(
        "REPLAY_OVERRIDE_FAILED",
        `The upcaster of ${entity} ${event.action} from version ${version} threw at position ${event.position}: ${why}.`,
        {
          hint: "Correct the upcaster; the tables are as they were.",
          details: { position: event.position, entity, action: event.action, version },
          cause,
        },
      );
    }
  }
  return data;
}
