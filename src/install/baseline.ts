import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { abortSignal, aFunction } from "../core/option-kinds.js";
import { sendableContext } from "../core/request-context.js";
import { asOwner } from "../core/rights.js";
import { numberOf, type Session, withOwnSession } from "../core/session.js";
import { join, quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../core/sql.js";
import { refuse } from "../log/finding.js";
import { refuseHiddenRows } from "../log/hidden-rows.js";
import { refuseTablesOfOthers } from "../log/ownership.js";
import { findingsOf } from "../log/status.js";
import {
  type EntityReference,
  someEntities,
  type TrackedTable,
  trackedTableOf,
  trackedTables,
} from "../log/tracked-tables.js";

export interface BaselineOptions {
  /** Only these entities. (Default: all that are tracked) */
  readonly entities?: readonly EntityReference[] | undefined;
  readonly onProgress?: ((progress: { readonly entity: string; readonly rows: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const baselineOptions = section({
  entities: someEntities,
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<BaselineOptions>);

/** Rows per transaction: their locks are held while it runs. */
const batch = 1_000;

/**
 * How long a batch waits for a row that somebody writes, at most, far below Postgres's `deadlock_timeout`: whoever
 * waits for rows of ours meanwhile goes on when the batch gives up, and is never the victim of a deadlock with it.
 */
const lockTimeoutMs = 100;

/**
 * Records a create event, with origin "baseline", for every row that the log does not know: for tables that had rows
 * before they were tracked. Row locks are held while positions are drawn, so that it is right beside running writers.
 * Resumable: what was recorded is known and not recorded again. What such a table held before its first baseline ended
 * is not known: points in time before that are POINT_IN_TIME_UNKNOWN for it.
 * Throws OPTIONS_INVALID, NOT_TRACKED, NOT_INSTALLED, INSTALL_STALE, NOT_OWNER, OTHER_OWNER, ROWS_HIDDEN,
 * REPLAY_ABORTED.
 */
export async function baseline(dataSource: DataSource, options: BaselineOptions = {}): Promise<{ rows: number }> {
  const { entities, onProgress, signal } = checkOptions("baseline", options, baselineOptions);
  const { schema } = attachmentOf(dataSource);
  const tables =
    entities === undefined ? trackedTables(dataSource) : entities.map((entity) => trackedTableOf(dataSource, entity));
  const work = withOwnSession(dataSource, async (session) => {
    refuse(await findingsOf(session, dataSource));
    await refuseTablesOfOthers(session, schema, tables);
    await refuseHiddenRows(session, tables);
    let rows = 0;
    for (const table of tables) {
      let last: readonly string[] | undefined;
      do {
        const done = await recordPatiently(session, schema, table, last, signal);
        last = done.last;
        rows += done.written;
        onProgress?.({ entity: table.entity, rows });
      } while (last !== undefined);
      await session.rows(sql`
        update ${raw(schema)}.tracked set baseline_complete = true, baseline_position = (select max(position) from ${raw(schema)}.event)
        where table_name = ${table.tableName} and had_rows and not baseline_complete`);
    }
    return { rows };
  });
  return asOwner(dataSource, work);
}

interface Batch {
  readonly written: number;
  /** The key of the last row read; undefined at the end of the table. */
  readonly last: readonly string[] | undefined;
}

/** Records the next batch; where rows of it stay locked, ever fewer rows, down to one, which waits holding no other. */
async function recordPatiently(
  session: Session,
  schema: string,
  table: TrackedTable,
  after: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  for (let size = batch; ; size = Math.max(1, Math.floor(size / 4))) {
    if (signal?.aborted) {
      throw new EventLogError("REPLAY_ABORTED", "The baseline was aborted.", {
        hint: "Call it again: it goes on where it stopped.",
      });
    }
    try {
      return await session.transaction(async () => {
        await session.run(`set local lock_timeout = ${lockTimeoutMs}`);
        return recordBatch(session, schema, table, { after, size });
      });
    } catch (error) {
      if (stateOf(error) !== "55P03") throw error;
    }
  }
}

/** Goes through the table by its key, so that every batch begins where the one before ended. */
async function recordBatch(
  session: Session,
  schema: string,
  table: TrackedTable,
  { after, size }: { after: readonly string[] | undefined; size: number },
): Promise<Batch> {
  const image =
    (
      await session.row(
        sql`select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
      )
    )?.sql ?? "";
  const keys = table.keyColumns.map(quoteIdentifier);
  const list = (alias: string, cast = "") => keys.map((key) => `${alias}.${key}${cast}`).join(", ");
  const idOf = table.keyColumns.map((name) => `${quoteLiteral(name)}, t.${quoteIdentifier(name)}`).join(", ");
  const further = after === undefined ? sql`true` : await isAfter(session, schema, table, after);
  const row = await session.row(sql`
    with page as materialized (
      select ${raw(list("t"))} from ${raw(table.sqlName)} t where ${further} order by ${raw(list("t"))} limit ${size}
    ),
    locked as materialized (
      select ${raw(image)} as image
      from ${raw(table.sqlName)} t join page p on ${raw(keys.map((key) => `p.${key} = t.${key}`).join(" and "))}
      where not exists (
        select from ${raw(schema)}.event e
        where e.table_name = any (${raw(schema)}.table_names(${table.tableName})) and e.action = 'create'
        and e.record_key = ${raw(schema)}.record_key(jsonb_build_object(${raw(idOf)}), ${table.keyColumns}::text[])
      )
      for share of t
    ),
    change as (select array_agg(row(ordinal, ${table.tableName}, null, image)::${raw(schema)}.change) as list from (select row_number() over () as ordinal, image from locked) l)
    select ${raw(schema)}.append(list, 'baseline', ${sendableContext()?.json.text ?? null}::jsonb) as written,
      (select count(*) from page) as read,
      (select to_jsonb(array[${raw(list("p", "::text"))}]) from page p order by ${raw(keys.map((key) => `p.${key} desc`).join(", "))} limit 1) as last
    from change`);
  return {
    written: numberOf(row, "written"),
    last: numberOf(row, "read") < size ? undefined : (JSON.parse(row?.last ?? "[]") as string[]),
  };
}

async function isAfter(
  session: Session,
  schema: string,
  { sqlName, keyColumns }: TrackedTable,
  values: readonly string[],
): Promise<Statement> {
  const columns = await session.rows(sql`select name, type from ${raw(schema)}.columns(${sqlName}::regclass)`);
  const typed = keyColumns.map((name, index) => {
    const type = columns.find((column) => column.name === name)?.type ?? "text";
    return sql`${values[index]}::${raw(type)}`;
  });
  return sql`(${raw(keyColumns.map((name) => `t.${quoteIdentifier(name)}`).join(", "))}) > (${join(typed, ", ")})`;
}
