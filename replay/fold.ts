import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { join, quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import { type Cut, inCut } from "../src/log/cut.js";
import type { EmptiedPartition } from "../src/log/table-shape.js";
import { type FoldTable, isReadApart, valueSql } from "./fold-table.js";
import { hasLaterValues, laterValues } from "./later-values.js";
import type { FoldSource } from "./fold-source.js";

/**
 * The courses that a record's events may take, a letter each: create, baseline, update, destroy, and retire (an
 * override took the record's create over). What precedes a baseline is not known and ignored, also where the row went
 * before the baseline came to it; what follows a retire is skipped; every other update and destroy needs a living
 * record.
 */
const possible = "^[UD]*(([udUD]*b|c)[cbuU]*[dD]?|r[udUD]*)*$";

/** The letter of an event `e`; a capital for an update or destroy from before the table's baseline had ended. */
function letterOf({ baseline }: FoldTable): string {
  const letter = "left(e.action, 1)";
  return baseline === undefined
    ? letter
    : `case when e.action <> 'create' and e.position <= ${baseline} then upper(${letter}) else ${letter} end`;
}

/**
 * The letters of an event that was not captured from a write. What the log itself created or destroyed holds, whatever
 * was recorded before it: its create counts as a baseline, and its destroy ends the record even if nothing began it.
 */
const ownLetters = (captured: string): string =>
  `case
      when e.origin not in ('baseline', 'retained', 'migration', 'reconcile') then ${captured}
      when e.action = 'create' then 'b'
      when e.action = 'destroy' then 'bd'
      else ${captured}
    end`;

/** Tells that a record goes on under another key: nothing ends by it. */
const isFarewell = "(e.origin = 'migration' and e.action = 'destroy' and e.metadata ? 'rekeyed')";

/**
 * An erasure says what was taken out of the record's events; where it changed nothing else there is nothing to fold.
 */
export const isFolded = "(e.origin <> 'erase' or e.data <> '{}' or s.data is not null)";

/**
 * The events of one table up to a cut, those of old versions replaced by what their handlers made of them:
 * (record_key, position, ordinal, action, letter, data), sensitive columns in their place.
 */
function sourceOf({ schema, cut, plan, staged, only: wanted }: FoldSource, table: FoldTable): Statement {
  const only = wanted === undefined ? sql`` : sql`and ${wanted}`;
  const letter = letterOf(table);
  const stored = "case when s.data is null then e.data else e.data || s.data end";
  const direct = sql`
    select e.record_key, e.position, 0::bigint as ordinal, e.action,
      case when e.origin = 'capture' then ${raw(letter)} else ${raw(ownLetters(letter))} end as letter,
      ${raw(table.today ?? stored)} as data
    from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    ${table.today === null ? sql`` : raw(`cross join lateral (select ${stored} as data) d`)}
    where e.table_name = any (${table.logNames}) and ${inCut(cut)} ${only}
    and ${raw(isFolded)} ${raw(countsAt(table, cut))}
    ${raw(table.history === undefined ? "" : `and not ${isFarewell}`)}
    ${plan.handled === "" ? sql`` : sql`and not (${raw(plan.handled)})`}`;
  if (plan.handled === "") return direct;
  return sql`${direct}
    union all
    select e.record_key, e.position, e.ordinal, e.action, ${raw(letterOf(table))}, e.data from ${raw(staged)} e
    where e.table_name = ${table.tableName} ${only} ${raw(countsAt(table, cut, "change"))}`;
}

/**
 * SQL to add to the conditions on an event `e`: it counts at the cut. What was recorded before a table got another key
 * is of other records, which the migration created anew under their keys of today; what was in a partition that is gone
 * ended with it.
 */
function countsAt(table: FoldTable, cut: Cut, of: "event" | "change" = "event"): string {
  const { history } = table;
  const changes = (history?.changes ?? []).filter(({ position }) => position <= cut.position);
  const rekeyed = changes.findLast((change) => change.rekeyed);
  return [
    ...(rekeyed === undefined ? [] : [`and e.position >= ${rekeyed.position}`]),
    ...changes.flatMap(({ position, emptied }) =>
      emptied.map((partition) => `and not (e.position < ${position} and ${wasIn(partition, table, of)})`),
    ),
  ].join(" ");
}

/** SQL over an event `e`: whether its record was in a partition, by its key under the names that its columns have. */
function wasIn({ bounds, columns }: EmptiedPartition, { history, today }: FoldTable, of: "event" | "change"): string {
  // A change that stands in for an event of an old version speaks today's names already.
  const id =
    today === null || of === "change" ? "e.record_id" : `(select ${today} from (select e.record_id as data) d)`;
  const key = columns.map(({ id: column, name, type }) => {
    const now = history?.now.find((candidate) => candidate.id === column)?.name ?? name;
    return `(r.id ->> ${quoteLiteral(now)})::${type} as ${quoteIdentifier(name)}`;
  });
  return `exists (select from (select ${key.join(", ")} from (select ${id} as id offset 0) r) key where ${bounds})`;
}

/**
 * Each record's course and last state. jsonb_concat over sorted rows is the cheapest way there is (half the time of
 * jsonb_each); only a record that was created more than once is merged again, from its last create.
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

/**
 * Every record that a table had up to a cut, as columns, with its key and course; `exists` tells which are alive at the
 * cut.
 */
export function foldQuery({ parts = 1, ...source }: FoldSource, table: FoldTable): Statement {
  const last = sinceLastCreate(source);
  if (parts === 1 || !isDivisible(source, table)) return foldPart(source, table, last);
  // A Parallel Append: each part sorts and merges by itself, where a parallel plan of the whole would do both in one
  // process.
  const queries = Array.from({ length: parts }, (_, index) => {
    const only = sql`abs(hashtextextended(e.record_key, 0) % ${raw(String(parts))}) = ${raw(String(index))}`;
    return sql`(${foldPart({ ...source, only }, table, lastLife(source, table))})`;
  });
  return join(queries, " union all ");
}

function sinceLastCreate({ schema }: Pick<FoldSource, "schema">): Statement {
  return sql`(
    select ${raw(schema)}.merge(l.data)
    from (
      select data
      from source
      where record_key = f.record_key and position >= f.life
      order by position, ordinal
    ) l)`;
}

/**
 * Whether all that a fold reads and computes may be read and computed by parallel processes: no temporary table, no
 * domain's check.
 */
function isDivisible({ plan, only }: FoldSource, table: FoldTable): boolean {
  const isPlain = table.today === null && table.history === undefined;
  return plan.handled === "" && only === undefined && isPlain && table.columns.every(isReadApart);
}

/**
 * The state of a record since its last create: a function, because a subquery that depends on a row forbids a parallel
 * plan.
 */
function lastLife({ schema, cut }: FoldSource, { logNames }: FoldTable): Statement {
  return sql`${raw(schema)}.last_life(${logNames}::text[], f.record_key, f.life, ${cut.position}::bigint, ${cut.leftOut}::xid8[], ${cut.before ?? null}::xid8, ${cut.epoch}::smallint)`;
}

/** `last` is SQL over `folded f`: the state of a record that was created more than once, since its last create. */
function foldPart(source: FoldSource, table: FoldTable, last: Statement): Statement {
  const apart = table.columns.filter(isReadApart).map(({ name }) => name);
  const columns = table.columns.map((column) => `${valueSql(column)} as ${column.quoted}`).join(", ");
  const seen = apart.length === 0 ? "f.state" : `f.state - array[${apart.map(quoteLiteral).join(", ")}]::text[]`;
  const rest =
    apart.length === table.columns.length
      ? sql``
      : sql`cross join lateral jsonb_populate_record(null::${raw(table.sqlName)}, ${raw(seen)}) r`;
  return sql`${states(source, table, last)}
    select f.record_key as ${raw(recordKey)}, f.course as ${raw(course)}, ${raw(columns)}
    from states f
    ${rest}
    where ${raw(hasPlace(source.schema, table))}`;
}

/**
 * SQL over a record's state: fails where it holds a value of a column that the table does not have and that was not
 * seen to be dropped.
 */
function hasPlace(schema: string, { columnNames }: FoldTable): string {
  const stray = `f.state - array[${columnNames.map(quoteLiteral).join(", ")}]::text[]`;
  return `case when ${stray} = '{}' then true else ${schema}.refuse_stray(f.record_key, ${stray}) end`;
}

/** The CTE "states": each record's key, course and last state as the log has it, complete and under today's names. */
function states(source: FoldSource, table: FoldTable, last: Statement): Statement {
  const fills = table.fills === null ? sql`` : raw(`${quoteLiteral(table.fills)}::jsonb || `);
  const state = sql`case
        when ${raw(isUsual("f.course"))} then ${fills}f.merged
        when not ${raw(alive("f.course"))} then '{}'
        else ${fills}${last}
      end`;
  // Written with quotes, an offset of nothing is known to be one before it is planned; otherwise it forbids a parallel
  // plan.
  const recorded = sql`select f.record_key, f.course, ${state} as state from folded f offset '0'`;
  if (!hasLaterValues(source, table)) return sql`${folded(source, table)}, states as not materialized (${recorded})`;
  return sql`${folded(source, table)},
    recorded as materialized (${recorded})${laterValues(source, table, alive("r.course"))}`;
}

/** SQL over a record's course: whether its events can be in their order. */
export const isPossible = `(${isUsual("f.course")} or f.course ~ '${possible}')`;

/**
 * Every record as the log has it, without its columns' types: (record_key, course, state, alive). `alive` is null if
 * its events cannot be in their order.
 */
export function stateQuery(source: FoldSource, table: FoldTable): Statement {
  return sql`${states(source, table, sinceLastCreate(source))}
    select f.record_key, f.course, f.state, case when ${raw(isPossible)} then ${raw(alive("f.course"))} end as alive
    from states f`;
}

/**
 * SQL over a fold's rows, for a fold that is read once and goes on: whether the record is alive. The statement fails,
 * with the record's key, if a course is not possible; `foldFailure` then says what is wrong.
 */
export function aliveOrRefused(schema: string): string {
  return `case when ${isUsual(course)} then true when ${course} ~ '${possible}' then ${exists} else ${schema}.refuse_course(${recordKey}) end`;
}

/**
 * Checks the courses of a fold's records and notes in a table how many events of each were skipped because an override
 * had retired it. Throws REPLAY_RECORD_MISSING with the event that has no record to change.
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

/** REPLAY_RECORD_MISSING for a record whose events cannot be in their order. */
export async function missingRecord(
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

export function outOfOrder({ entity }: FoldTable, key: string): EventLogError {
  return new EventLogError("REPLAY_RECORD_MISSING", `The events of the ${entity} record ${key} are out of order.`);
}
