import { stateOf } from "../src/core/database-errors.js";
import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { join, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import { type Cut, inCut } from "../src/log/cut.js";
import { type FoldTable, isReadApart, valueSql } from "./fold-table.js";
import type { Plan } from "./plan.js";

export interface FoldSource {
  readonly schema: string;
  readonly cut: Cut;
  readonly plan: Plan;
  /** The table of changes that stand in for events of old versions. */
  readonly staged: string;
  /** SQL over an event `e`: only these. (Default: all) */
  readonly only?: Statement | undefined;
  /** In how many parts records are folded, each by a process of its own where Postgres has them. (Default: 1) */
  readonly parts?: number | undefined;
}

/**
 * The courses that a record's events may take, a letter each: create, baseline, update, destroy, and retire (an override took the
 * record's create over). What precedes a baseline is not known and ignored, also where the row went before the baseline came to
 * it; what follows a retire is skipped; every other update and destroy needs a living record.
 */
const possible = "^[UD]*(([udUD]*b|c)[cbuU]*[dD]?|r[udUD]*)*$";

/** The letter of an event `e`; a capital for an update or destroy from before the table's baseline had ended. */
function letterOf({ baseline }: FoldTable): string {
  const letter = "left(e.action, 1)";
  return baseline === undefined
    ? letter
    : `case when e.action <> 'create' and e.position <= ${baseline} then upper(${letter}) else ${letter} end`;
}

/** An erasure says what was taken out of the record's events; where it changed nothing else there is nothing to fold. */
export const isFolded = "(e.action_name is distinct from 'erase' or e.data <> '{}' or s.data is not null)";

/**
 * The events of one table up to a cut, those of old versions replaced by what their handlers made of them:
 * (record_key, position, ordinal, action, letter, data), sensitive columns in their place.
 */
function sourceOf({ schema, cut, plan, staged, only: wanted }: FoldSource, table: FoldTable): Statement {
  const only = wanted === undefined ? sql`` : sql`and ${wanted}`;
  const direct = sql`
    select e.record_key, e.position, 0::bigint as ordinal, e.action, case when e.action_name = 'baseline' then 'b' else ${raw(letterOf(table))} end as letter, case when s.data is null then e.data else e.data || s.data end as data
    from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    where e.table_name = any (${table.logNames}) and ${inCut(cut)} ${only} and ${raw(isFolded)}
    ${plan.handled === "" ? sql`` : sql`and not (${raw(plan.handled)})`}`;
  if (plan.handled === "") return direct;
  return sql`${direct}
    union all
    select e.record_key, e.position, e.ordinal, e.action, ${raw(letterOf(table))}, e.data from ${raw(staged)} e
    where e.table_name = ${table.tableName} ${only}`;
}

/**
 * Each record's course and last state. jsonb_concat over sorted rows is the cheapest way there is (half the time of jsonb_each);
 * only a record that was created more than once is merged again, from its last create.
 */
function folded(source: FoldSource, table: FoldTable): Statement {
  const events = sourceOf(source, table);
  return sql`
    with source as not materialized (${events}),
    folded as (
      select record_key, string_agg(letter, '') as course, ${raw(source.schema)}.merge(data) as merged,
        max(position) filter (where action = 'create') as life
      from (select * from source order by record_key, position, ordinal) ordered
      group by record_key
    )`;
}

/** The columns that a fold adds to the table's own: the record's key in the log, and its course. */
export const foldOnly = [" record key", " course"] as const;
export const [recordKey, course] = ['" record key"', '" course"'] as const;

/** Of a fold's rows, the records that exist. */
export const exists = alive(course);

function alive(of: string): string {
  return `right(rtrim(${of}, 'uU'), 1) in ('c', 'b')`;
}

/** Whether a course is the usual one, a create and updates: a fifth of what it costs to match `possible`. */
function isUsual(of: string): string {
  return `rtrim(${of}, 'uU') in ('c', 'b')`;
}

/** Every record that a table had up to a cut, as columns, with its key and course; `exists` tells which are alive at the cut. */
export function foldQuery({ parts = 1, ...source }: FoldSource, table: FoldTable): Statement {
  const last = sql`(select ${raw(source.schema)}.merge(l.data) from (select data from source where record_key = f.record_key and position >= f.life order by position, ordinal) l)`;
  if (parts === 1 || !isDivisible(source, table)) return foldPart(source, table, last);
  // A Parallel Append: each part sorts and merges by itself, where a parallel plan of the whole would do both in one process.
  const queries = Array.from({ length: parts }, (_, index) => {
    const only = sql`abs(hashtextextended(e.record_key, 0) % ${raw(String(parts))}) = ${raw(String(index))}`;
    return sql`(${foldPart({ ...source, only }, table, lastLife(source, table))})`;
  });
  return join(queries, " union all ");
}

/** Whether all that a fold reads and computes may be read and computed by parallel processes: no temporary table, no domain's check. */
function isDivisible({ plan, only }: FoldSource, table: FoldTable): boolean {
  return plan.handled === "" && only === undefined && table.columns.every(isReadApart);
}

/** The state of a record since its last create: a function, because a subquery that depends on a row forbids a parallel plan. */
function lastLife({ schema, cut }: FoldSource, { logNames }: FoldTable): Statement {
  return sql`${raw(schema)}.last_life(${logNames}::text[], f.record_key, f.life, ${cut.position}::bigint, ${cut.leftOut}::xid8[], ${cut.before ?? null}::xid8, ${cut.epoch}::smallint)`;
}

/** `last` is SQL over `folded f`: the state of a record that was created more than once, since its last create. */
function foldPart(source: FoldSource, table: FoldTable, last: Statement): Statement {
  const apart = table.columns.filter(isReadApart).map(({ name }) => name);
  const columns = table.columns.map((column) => `${valueSql(column)} as ${column.quoted}`).join(", ");
  const seen = apart.length === 0 ? "state" : `state - array[${apart.map(quoteLiteral).join(", ")}]::text[]`;
  const rest =
    apart.length === table.columns.length
      ? sql``
      : sql`cross join lateral jsonb_populate_record(null::${raw(table.sqlName)}, ${raw(seen)}) r`;
  // Written with quotes, an offset of nothing is known to be one before it is planned; otherwise it forbids a parallel plan.
  return sql`${folded(source, table)}
    select f.record_key as ${raw(recordKey)}, f.course as ${raw(course)}, ${raw(columns)}
    from (
      select f.record_key, f.course, case
        when ${raw(isUsual("f.course"))} then f.merged
        when not ${raw(alive("f.course"))} then '{}'
        else ${last}
      end as state
      from folded f offset '0'
    ) f
    ${rest}`;
}

/**
 * SQL over a fold's rows, for a fold that is read once and goes on: whether the record is alive. The statement fails, with the
 * record's key, where a course is not possible; `courseError` then says what is wrong.
 */
export function aliveOrRefused(schema: string): string {
  return `case when ${isUsual(course)} then true when ${course} ~ '${possible}' then ${exists} else ${schema}.refuse_course(${recordKey}) end`;
}

/**
 * Checks the courses of a fold's records and notes in a table how many events of each were skipped because an override had
 * retired it. Throws REPLAY_RECORD_MISSING with the event that has no record to change.
 */
export async function checkCourses(
  session: Session,
  source: FoldSource,
  table: FoldTable,
  fold: string,
  skipped: string,
  which: Statement,
): Promise<void> {
  const row = await session.row(
    sql`select ${raw(recordKey)} as missing from ${raw(fold)} where ${which} and not ${raw(isUsual(course))} and ${raw(course)} !~ ${possible} limit 1`,
  );
  if (row !== undefined) throw await missingRecord(session, source, table, row.missing ?? "");
  if (source.plan.overrides.length === 0) return;
  await session.rows(sql`
    insert into ${raw(skipped)}
    select ${table.tableName}, ${raw(recordKey)}, sum(length(part[1]))
    from ${raw(fold)}, regexp_matches(${raw(course)}, 'r([udUD]+)', 'g') part where ${which} and ${raw(course)} like '%r%'
    group by ${raw(recordKey)}`);
}

/** How many events of a table were skipped because an override had retired their record. */
export async function skippedIn(session: Session, source: FoldSource, table: FoldTable): Promise<number> {
  const row = await session.row(sql`
    with source as (${sourceOf(source, table)}),
    courses as (select string_agg(letter, '' order by position, ordinal) as course from source group by record_key)
    select coalesce(sum(length(part[1])), 0) as skipped from courses, regexp_matches(course, 'r([udUD]+)', 'g') part where course like '%r%'`);
  return Number(row?.skipped ?? 0);
}

/** A record whose events cannot be in their order; what is wrong can be read once the failed transaction is over. */
export class ImpossibleCourse extends Error {
  constructor(
    private readonly table: FoldTable,
    private readonly recordKey: string,
  ) {
    super("an event of a record is missing");
  }

  /** As REPLAY_RECORD_MISSING. */
  explained(session: Session, source: FoldSource): Promise<EventLogError> {
    // Staged changes may have gone with the transaction.
    return session
      .snapshot(() => missingRecord(session, source, this.table, this.recordKey))
      .catch(() => outOfOrder(this.table, this.recordKey));
  }
}

/** The error of a statement with `aliveOrRefused`: ImpossibleCourse where that refused. */
export function courseError(error: unknown, table: FoldTable): Error {
  if (stateOf(error) !== "CH020") return error as Error;
  return new ImpossibleCourse(table, (error as { hint?: string }).hint ?? "");
}

async function missingRecord(
  session: Session,
  source: FoldSource,
  table: FoldTable,
  key: string,
): Promise<EventLogError> {
  const steps = await session.rows(sql`with source as (${sourceOf(source, table)})
    select position, action from source where record_key = ${key} order by position, ordinal`);
  let alive: "yes" | "no" | "retired" = "no";
  const first = steps.find(({ action }) => action === "create" || action === "retire")?.position;
  for (const { position, action } of steps) {
    const at = BigInt(position ?? 0);
    if (at <= (table.baseline ?? 0n) && at < BigInt(first ?? at + 1n)) continue; // a row from before the baseline
    if (alive === "no" && (action === "update" || action === "destroy")) {
      return new EventLogError(
        "REPLAY_RECORD_MISSING",
        `The ${action} at position ${position} is of a ${table.entity} record (${key}) that does not exist at that point.`,
        { details: { position: BigInt(position ?? 0), entity: table.entity, recordKey: key } },
      );
    }
    if (action === "create") alive = "yes";
    else if (action === "retire") alive = "retired";
    else if (action === "destroy" && alive === "yes") alive = "no";
  }
  return outOfOrder(table, key);
}

function outOfOrder({ entity }: FoldTable, key: string): EventLogError {
  return new EventLogError("REPLAY_RECORD_MISSING", `The events of the ${entity} record ${key} are out of order.`);
}
