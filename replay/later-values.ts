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
 * value stands in the first event of the same record that names its column afterwards: as the new value of a migration
 * event, as the old one of a write between the DDL and the install.
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
  // Either side of the event under today's names; `firsts` has for each column what it became, and from what.
  const side = (name: string) =>
    `(select ${today}
      from (select case when s.${name} is null then e.${name} else e.${name} || s.${name} end as data) d)`;
  const became = `case
          when e.origin = 'migration' then jsonb_build_object('from', p.previous -> v.key, 'to', p.data -> v.key)
          else jsonb_build_object('to', p.previous -> v.key)
            || case when ${isOf(before(rewritten, ["null"]))} then '{"rewritten": true}'::jsonb else '{}' end
            || case when ${isOf(before(filled, []))} then '{"filled": true}'::jsonb else '{}' end
        end`;
  // As text, such a value is written otherwise than in the log.
  const losing = new Set(rewritten.filter(({ losesForm }) => losesForm).map(({ name }) => name));
  const isFilled = (name: string) =>
    `l.firsts -> ${quoteLiteral(name)} ? 'to' and not l.firsts -> ${quoteLiteral(name)} ? 'filled'
        and not r.state ? ${quoteLiteral(name)}`;
  const given = [
    ...filled.flatMap(({ name }) => (losing.has(name) ? [] : [columnFrom(name, isFilled(name))])),
    ...rewritten.map(({ name }) => columnFrom(name, isKnown(name))),
  ];
  const refusals = [
    ...rewritten.map((column) => refusal(column, source, table)),
    ...filled.flatMap(({ name }) => {
      const column = raw(quoteLiteral(name));
      return losing.has(name)
        ? [
            sql`when ${raw(isFilled(name))} and l.firsts -> ${column} ->> 'to' is not null
          then ${raw(schema)}.refuse_record(r.record_key, ${column})`,
          ]
        : [];
    }),
  ];
  return sql`,
    later as (
      select e.record_key, ${raw(schema)}.merge((
          select coalesce(jsonb_object_agg(v.key, ${raw(became)}), '{}')
          from jsonb_object_keys(p.data || p.previous) v (key)
          where v.key = any (${raw(list([...filled, ...rewritten].map(({ name }) => name)))})
        ) order by e.position desc) as firsts
      from ${event} e left join ${sensitive} s on s.position = e.position
      cross join lateral (select ${raw(side("data"))} as data, ${raw(side("previous"))} as previous) p
      where e.table_name = any (${table.logNames}) and e.action <> 'create'
      and (e.origin <> 'migration' or e.action = 'update') and ${afterCut(cut)}
      ${only === undefined ? sql`` : sql`and ${only}`}
      and not exists (
        select from ${event} n
        where n.table_name = any (${table.logNames}) and n.record_key = e.record_key
        and n.position > ${cut.position} and n.position < e.position and n.action <> 'update'
      )
      group by e.record_key
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
  return ` || case when ${condition} then jsonb_build_object(${column}, l.firsts -> ${column} -> 'to') else '{}' end`;
}

/** SQL: whether the record still had the value when the DDL rewrote it, and what it became is recorded. */
function isKnown(name: string): string {
  const column = quoteLiteral(name);
  const first = `l.firsts -> ${column}`;
  return `coalesce(${first} ? 'to' and not ${first} ? 'rewritten'
    and (not ${first} ? 'from' or ${first} ->> 'from' is not distinct from r.state ->> ${column}), false)`;
}

/**
 * SQL: a branch that refuses a record whose value the DDL never met, if it did anything that a plain cast does not do.
 */
function refusal(
  { name, since, once, losesForm, rekeyed }: Rewritten,
  { schema }: FoldSource,
  table: FoldTable,
): Statement {
  const column = raw(quoteLiteral(name));
  const isUnknown = losesForm || (rekeyed && !table.keyColumns.includes(name));
  const data = raw(table.today ?? "d.data");
  const isConverted = isUnknown
    ? sql`true`
    : sql`exists (
    select from ${raw(schema)}.event e left join ${raw(schema)}.event_sensitive s on s.position = e.position
    cross join lateral (select case when s.data is null then e.data else e.data || s.data end as data) d
    where e.table_name = any (${table.logNames}) and e.origin = 'migration' and e.action = 'update'
    and e.position > ${since} and ${data} ? ${column}
  )`;
  const metAnother = once && !isUnknown ? sql`l.firsts ? ${column}` : sql`true`;
  return sql`when r.state ->> ${column} is not null and not ${raw(isKnown(name))} and ${metAnother} and ${isConverted}
          then ${raw(schema)}.refuse_record(r.record_key, ${column})`;
}
