import { join, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import { afterCut } from "../src/log/cut.js";
import type { FilledByRow, Rewritten } from "../src/log/schema-history.js";
import type { FoldSource } from "./fold-source.js";
import type { FoldTable } from "./fold-table.js";

/**
 * Whether DDL wrote values row by row after a fold's point in time, so that later events say what became of older ones.
 */
export function hasLaterValues({ cut, asRecorded = false }: FoldSource, { history, children }: FoldTable): boolean {
  if (history === undefined || asRecorded) return false;
  return (
    history.filledByRow(cut.position).length > 0 || history.rewritten(cut.position, Object.keys(children)).length > 0
  );
}

/**
 * The CTEs that make "states" of "recorded", records as their events up to the point have them. What DDL made of a
 * value stands in later events of the same record that name its column: as the old value of the first write, else as
 * the new one of the last migration event.
 * - A column that was added gets it.
 * - A column whose type was changed gets it if this very value was rewritten. Where the record had another value by
 *   then, what an expression would have made of this one is not known, and the record is refused: a cast might invent a
 *   value.
 */
export function laterValues(source: FoldSource, table: FoldTable, alive: string): Statement {
  const { schema, cut, only } = source;
  const filled = table.history?.filledByRow(cut.position) ?? [];
  const rewritten = table.history?.rewritten(cut.position, Object.keys(table.children)) ?? [];
  const list = (names: readonly string[]) => `array[${names.map(quoteLiteral).join(", ")}]::text[]`;
  const today = table.today ?? "d.data";
  const [event, sensitive] = [raw(`${schema}.event`), raw(`${schema}.event_sensitive`)];
  // Events up to a position, in these shapes ("null": that of an install), hold what a value was before.
  const before = (columns: readonly FilledByRow[], shapes: readonly string[]) =>
    quoteLiteral(
      JSON.stringify(
        Object.fromEntries(
          columns.map(({ name, position, shapesBefore }) => [
            name,
            { until: String(position), shapes: [...shapes, ...shapesBefore] },
          ]),
        ),
      ),
    );
  const isOf = (old: string) => `(e.position < (${old}::jsonb #>> array[v.key, 'until'])::bigint
            and ${old}::jsonb #> array[v.key, 'shapes'] ? coalesce(e.shape::text, 'null'))`;
  // Either side of the event under today's names; `became` has for each column what it became, and from what.
  const side = (name: string) =>
    `(select ${today}
      from (select case when s.${name} is null then e.${name} else e.${name} || s.${name} end as data) d)`;
  const written = `jsonb_build_object('to', p.previous -> v.key, 'at', e.position)
          || case when ${isOf(before(rewritten, ["null"]))} then '{"rewritten": true}'::jsonb else '{}' end
          || case when ${isOf(before(filled, []))} then '{"filled": true}'::jsonb else '{}' end`;
  const migrated = "jsonb_build_object('from', p.previous -> v.key, 'to', p.data -> v.key, 'at', e.position)";
  const all = list([...filled, ...rewritten].map(({ name }) => name));
  const changes = (what: string) => `(
          select coalesce(${schema}.merge(jsonb_build_object(v.key, ${what})), '{}')
          from jsonb_object_keys(p.data || p.previous) v (key)
          where v.key = any (${all}))`;
  // Between a change of keys and its install, a key is that of another record.
  const ofOthers = (table.history?.changes ?? [])
    .filter(({ rekeyedFrom, position }) => rekeyedFrom !== null && position > cut.position)
    .map(({ rekeyedFrom, position }) => `and not (e.position >= ${rekeyedFrom} and e.position < ${position})`);
  // As text, such a value is written otherwise than in the log.
  const losing = new Set(rewritten.filter(({ losesForm }) => losesForm).map(({ name }) => name));
  const given = [
    ...filled.flatMap(({ name }) => (losing.has(name) ? [] : [columnFrom(name, isFilled(name))])),
    ...rewritten.map(({ name }) => columnFrom(name, isKnown(name))),
  ];
  const refusals = [
    ...rewritten.map((column) =>
      refusal(
        column,
        source,
        table,
        filled.some(({ name }) => name === column.name),
      ),
    ),
    ...filled.flatMap(({ name }) => {
      const column = raw(quoteLiteral(name));
      return losing.has(name)
        ? [
            sql`when ${raw(isFilled(name))} and l.became -> ${column} ->> 'to' is not null
          then ${raw(schema)}.refuse_record(r.record_key, ${column})`,
          ]
        : [];
    }),
  ];
  return sql`,
    later_events as (
      select e.record_key,
        ${raw(schema)}.merge(${raw(changes(written))} order by e.position desc) filter (where not m.is_migration) as writes,
        ${raw(schema)}.merge(${raw(changes(migrated))} order by e.position desc) filter (where m.is_migration) as firsts,
        ${raw(schema)}.merge(${raw(changes(migrated))} order by e.position) filter (where m.is_migration) as lasts
      from ${event} e left join ${sensitive} s on s.position = e.position
      cross join lateral (select ${raw(side("data"))} as data, ${raw(side("previous"))} as previous) p
      cross join lateral (select e.origin = 'migration' as is_migration) m
      where e.table_name = any (${table.logNames}) and e.action <> 'create'
      and (e.origin <> 'migration' or e.action = 'update') and ${afterCut(cut)} ${raw(ofOthers.join(" "))}
      ${only === undefined ? sql`` : sql`and ${only}`}
      and not exists (
        select from ${event} n
        where n.table_name = any (${table.logNames}) and n.record_key = e.record_key
        and n.position > ${cut.position} and n.position < e.position and n.action <> 'update'
      )
      group by e.record_key
    ),
    later as (
      select l.record_key, (
        select ${raw(schema)}.merge(jsonb_build_object(c.name, case
          when l.writes -> c.name -> 'at' < l.firsts -> c.name -> 'at' then l.writes -> c.name
          else coalesce(l.firsts -> c.name, '{}') || coalesce(l.writes -> c.name, (l.lasts -> c.name) - 'from')
        end))
        from unnest(${raw(all)}) c (name)
        where l.writes ? c.name or l.firsts ? c.name) as became
      from later_events l
    ),
    states as not materialized (
      select r.record_key, r.course, case
        when not ${raw(alive)} then r.state
        ${join(refusals, " ")}
        else r.state${raw(given.join(""))}
      end as state
      from recorded r left join later l on l.record_key = r.record_key
    )`;
}

function columnFrom(name: string, condition: string): string {
  const column = quoteLiteral(name);
  return ` || case when ${condition} then jsonb_build_object(${column}, l.became -> ${column} -> 'to') else '{}' end`;
}

/** SQL: whether the record has no value yet, and later events have its first. */
function isFilled(name: string): string {
  const column = quoteLiteral(name);
  const value = `l.became -> ${column}`;
  return `(${value} ? 'to' and not ${value} ? 'filled' and not r.state ? ${column})`;
}

/** SQL: whether the record still had the value when the DDL rewrote it, and what it became is recorded. */
function isKnown(name: string): string {
  const column = quoteLiteral(name);
  const value = `l.became -> ${column}`;
  return `coalesce(${value} ? 'to' and not ${value} ? 'rewritten'
    and (not ${value} ? 'from' or ${value} ->> 'from' is not distinct from r.state ->> ${column}), false)`;
}

/**
 * SQL: a branch that refuses a record whose value the DDL never met, if it did anything that a plain cast does not do:
 * if it made another value of one, not only a first one.
 */
function refusal(
  { name, since, once, losesForm, rekeyed }: Rewritten,
  { schema }: FoldSource,
  table: FoldTable,
  mayBeFilled: boolean,
): Statement {
  const column = raw(quoteLiteral(name));
  const first = mayBeFilled ? `or ${isFilled(name)} and l.became -> ${quoteLiteral(name)} ->> 'to' is not null` : "";
  const isUnknown = losesForm || (rekeyed && !table.keyColumns.includes(name));
  const data = raw(table.today ?? "d.data");
  const isConverted = isUnknown
    ? sql`true`
    : sql`exists (
    select from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    cross join lateral (
      select case when s.previous is null then e.previous else e.previous || s.previous end as data) d
    where e.table_name = any (${table.logNames}) and e.origin = 'migration' and e.action = 'update'
    and e.position > ${since} and ${data} ->> ${column} is not null
  )`;
  const metAnother = once && !isUnknown ? sql`l.became ? ${column}` : sql`true`;
  return sql`when (r.state ->> ${column} is not null ${raw(first)}) and not ${raw(isKnown(name))} and ${metAnother} and ${isConverted}
          then ${raw(schema)}.refuse_record(r.record_key, ${column})`;
}
