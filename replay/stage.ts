import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { eventColumns, eventOf, eventSource, type RecordedEvent } from "../src/log/event.js";
import type { Cut } from "../src/log/point-in-time.js";
import { trackedNameOf, trackedTableOf } from "../src/log/tracked-tables.js";
import { isFolded } from "./fold.js";
import type { FoldTable } from "./fold-table.js";
import type { Row } from "./handlers.js";
import { OverrideState } from "./override-state.js";
import { overrideOf, type Plan } from "./plan.js";
import { StagedChanges } from "./staged-changes.js";

export interface StageReport {
  readonly upcast: number;
  readonly overridden: number;
}

const page = 1_000;

/**
 * Brings the events of old versions to today's shape: in position order through upcasters and overrides, into a temporary
 * table that the fold reads in their place. Only these events ever come to Node. Does nothing where no event needs it.
 * Throws REPLAY_OVERRIDE_FAILED, UNKNOWN_COLUMN.
 */
export async function stageOldVersions(
  session: Session,
  dataSource: DataSource,
  {
    plan,
    cut,
    tables,
    staged,
    step,
  }: { plan: Plan; cut: Cut; tables: readonly FoldTable[]; staged: string; step: (events: number) => void },
): Promise<StageReport> {
  if (plan.handled === "") return { upcast: 0, overridden: 0 };
  const { schema } = attachmentOf(dataSource);
  const changes = new StagedChanges(session, schema, staged);
  await changes.prepare();
  const state = new OverrideState(session, dataSource, { plan, changes, tables });
  const report = { upcast: 0, overridden: 0 };
  const columns = eventColumns(schema, {
    data: "(e.data || coalesce(s.data, '{}'))",
    previous: "(e.previous || coalesce(s.previous, '{}'))",
  });
  let last = 0n;
  for (;;) {
    const rows = await session.rows(sql`
      select ${columns} from ${eventSource(schema)} left join ${raw(schema)}.event_sensitive s on s.position = e.position
      where e.position > ${last} and e.position <= ${cut.position} and e.transaction_id <> all (${cut.leftOut}::xid8[]) and (${raw(plan.handled)}) and ${raw(isFolded)}
      order by e.position limit ${page}`);
    for (const row of rows) {
      const event = eventOf<Row>(row);
      last = event.position;
      const kind = { ...event, entity: nameToday(dataSource, event.entity, plan) };
      const handler = overrideOf(plan, kind);
      if (handler === undefined) {
        const table = tableOf(dataSource, tables, kind.entity);
        changes.add({
          table,
          id: event.recordId,
          position: event.position,
          action: event.action,
          data: upcastData(event, kind.entity, plan),
        });
        report.upcast++;
      } else {
        await runOverride(event, state, async () =>
          handler.handler(
            event,
            state.at(
              event,
              tables.find((table) => table.entity === kind.entity),
            ),
          ),
        );
        report.overridden++;
      }
    }
    step(rows.length);
    if (rows.length < page) break;
  }
  await changes.flush();
  return report;
}

async function runOverride(event: RecordedEvent, state: OverrideState, run: () => Promise<void>): Promise<void> {
  try {
    await run();
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
    state.close();
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

function tableOf(dataSource: DataSource, tables: readonly FoldTable[], entity: string): FoldTable {
  const { tableName } = trackedTableOf(dataSource, entity);
  const table = tables.find((candidate) => candidate.tableName === tableName);
  if (table === undefined) throw new EventLogError("NOT_TRACKED", `${entity} is not replayed.`);
  return table;
}

function upcastData(event: RecordedEvent<Row>, entity: string, { upcasters, current }: Plan): Row {
  let { data } = event;
  const wanted = current.get(entity)?.[event.action] ?? event.version;
  if (event.action === "destroy") return data;
  for (let version = event.version; version < wanted; version++) {
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
