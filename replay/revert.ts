import type { DataSource } from "typeorm";
import { attachmentOf } from "../src/core/attachment.js";
import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import { contextWith } from "../src/core/request-context.js";
import { asOwner } from "../src/core/rights.js";
import { tellContext } from "../src/core/sent-context.js";
import { type Session, withOwnSession } from "../src/core/session.js";
import { raw, sql } from "../src/core/sql.js";
import { markOrigin } from "../src/log/origin.js";
import { eventOf, eventPage, type RecordedEvent } from "../src/log/event.js";
import type { Cut } from "../src/log/cut.js";
import { refuseHiddenRows } from "../src/log/hidden-rows.js";
import { refuseBeforeBaseline } from "../src/log/known-since.js";
import { refuseTablesOfOthers } from "../src/log/ownership.js";
import { type PointInTime, resolvePoint } from "../src/log/point-in-time.js";
import { idColumns, type RecordId } from "../src/log/record-id.js";
import { type EntityReference, trackedTableOf } from "../src/log/tracked-tables.js";
import { recordFold } from "./at.js";
import { differs, sameKey } from "./difference.js";
import { explainingFolds, foldFailure } from "./fold-failure.js";
import { type FoldTable, foldTables } from "./fold-table.js";
import { constraintError, type Rebuilt } from "./invalid-rows.js";

/**
 * Brings one record back to what it was at a point in time: created, updated or destroyed as needed, in one
 * transaction, and recorded as a new event, with origin "revert", with the point in its metadata and who and why from
 * the request context. Returns that event; null where nothing differs, which records nothing. It is a write like any
 * other: the table's own triggers run, keys and constraints hold, excluded columns keep their value.
 * Throws POINT_IN_TIME_UNKNOWN, REPLAY_LOCK_TIMEOUT where another transaction holds the record for long,
 * REPLAY_BLOCKED_BY_REFERENCES, REPLAY_INVALID_ROWS, NOT_OWNER, and what reading old versions throws.
 */
export async function revert<Row = Record<string, unknown>>(
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
  point: PointInTime,
): Promise<RecordedEvent<Row> | null> {
  const { schema, options } = attachmentOf(dataSource);
  if (trackedTableOf(dataSource, entity).auditOnly) {
    throw new EventLogError("NOT_TRACKED", "An entity for audit only is never brought back.", {
      hint: "Track it without `auditOnly`.",
    });
  }
  const work = withOwnSession(dataSource, async (session) => {
    await refuseTablesOfOthers(session, schema, [trackedTableOf(dataSource, entity)]);
    await refuseHiddenRows(session, [trackedTableOf(dataSource, entity)]);
    const cut = await resolvePoint(session, dataSource, point);
    let rebuilt: Rebuilt | undefined;
    const tables = () => foldTables(session, dataSource, { auditOnly: true, allowStale: true, allowOthers: true });
    const inTransaction = (of: () => Promise<RecordedEvent<Row> | null>) =>
      explainingFolds(session, dataSource, tables, () => session.transaction(of));
    try {
      return await inTransaction(async () => {
        // As the application's own transactions do, so that a live replay neither fails this nor deadlocks with it.
        await session.run(`lock table ${schema}.gate in access share mode`);
        await session.rows(
          sql`select set_config('lock_timeout', ${lockTimeout}, true) where current_setting('lock_timeout') = '0'`,
        );
        const { keys, asked, table, query, plan, source } = await recordFold(
          session,
          dataSource,
          entity,
          [id],
          cut,
          "revert",
        );
        rebuilt = { tables: [table], plan, rows: 1, hint: writeItYourself };
        const [key = ""] = asked;
        await refuseBeforeBaseline(session, dataSource, cut, [table], keys);
        await session.run(`lock table ${table.sqlName} in row exclusive mode`);
        await session
          .rows(sql`create temporary table chronicle_wanted on commit drop as ${query}`)
          .catch((error: unknown) => {
            throw foldFailure(error, source, table);
          });
        const context = contextOf(cut);
        await tellContext(session, options, context);
        if (!(await write(session, schema, table, JSON.stringify(idColumns(table, id))))) return null;
        await recordUnlessCaptured(session, schema, table, context);
        const written = sql`e.table_name = ${table.tableName} and e.record_key = ${key}
          and e.transaction_id = pg_current_xact_id()`;
        const position = sql`select e.position from ${raw(schema)}.event e where ${written} order by e.position limit 1`;
        await markOrigin(session, schema, "revert", sql`(${position})`);
        const row = await session.row(eventPage(schema, position));
        return row === undefined ? null : eventOf<Row>(row);
      });
    } catch (error) {
      if (stateOf(error) === "55P03") throw heldByAnother(error);
      throw rebuilt === undefined ? error : constraintError(error, rebuilt);
    }
  });
  return asOwner(dataSource, work);
}

/**
 * How long it waits for a transaction that has changed the record, unless the server's own `lock_timeout` says
 * otherwise.
 */
const lockTimeout = "30s";

const writeItYourself =
  "`at()` gives the record as it was: change what stands in its way, or write it yourself as it is to be.";

function heldByAnother(cause: unknown): EventLogError {
  return new EventLogError("REPLAY_LOCK_TIMEOUT", "Another transaction holds the record and did not end.", {
    hint: "End it first, above all where it is your own: `revert` has a connection and a transaction of its own.",
    cause,
  });
}

/**
 * The record's images in the log's form, as they were and are. They stay in the database: a parameter would be in the
 * server's log, with what is sensitive in it.
 */
const images = raw("pg_temp.chronicle_images");

/** Makes the live row what the fold says; whether it was not so already. */
async function write(session: Session, schema: string, table: FoldTable, id: string): Promise<boolean> {
  const wanted = raw("pg_temp.chronicle_wanted");
  const name = raw(table.sqlName);
  const made = await session.row(
    sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
  );
  const image = raw(made?.sql ?? "");
  const isIt = sql`${raw(sameKey(table, "t", "k"))}`;
  const given = sql`jsonb_populate_record(null::${name}, ${id}::jsonb) k`;
  await session.run("create temporary table chronicle_images (old jsonb, new jsonb) on commit drop");
  const isLive = await session.write(
    sql`insert into ${images} (old) select ${image} from ${name} t, ${given} where ${isIt} for update of t`,
  );
  const isWanted = (await session.row(sql`select 1 as there from ${wanted}`)) !== undefined;
  const columns = raw(table.columns.map(({ quoted }) => quoted).join(", "));
  const set = table.columns.filter(({ identity }) => identity !== "a").map(({ quoted }) => `${quoted} = f.${quoted}`);
  if (!isWanted)
    return isLive > 0 && (await session.write(sql`delete from ${name} t using ${given} where ${isIt}`)) > 0;
  const written =
    isLive === 0
      ? sql`insert into ${name} as t (${columns}) overriding system value
          select ${columns} from ${wanted} returning ${image} as image`
      : sql`update ${name} t set ${raw(set.join(", "))} from ${wanted} f
          where ${raw(sameKey(table, "t", "f"))} and ${raw(differs(table, "t", "f"))} returning ${image} as image`;
  return (
    (await session.write(sql`with written as (${written}) insert into ${images} (new) select image from written`)) > 0
  );
}

/** Under capture by the subscriber no trigger sees the write: its event is written here. */
async function recordUnlessCaptured(
  session: Session,
  schema: string,
  table: FoldTable,
  context: string,
): Promise<void> {
  const image = (of: string) => raw(`(select ${of} from pg_temp.chronicle_images where ${of} is not null)`);
  await session.rows(sql`
    select ${raw(schema)}.append(
      array[row(1, t.table_name, ${image("old")}, ${image("new")})::${raw(schema)}.change],
      'revert', ${context}::jsonb)
    from ${raw(schema)}.tracked t where t.table_name = ${table.tableName} and t.capture <> 'trigger'`);
}

function contextOf({ position, leftOut, before }: Cut): string {
  return contextWith({ revert: { position: String(position), leftOut, before } });
}
