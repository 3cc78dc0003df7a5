import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import { differs, sameKey, type Target } from "./difference.js";
import type { FoldColumn } from "./fold-table.js";

/** A unique index or exclusion constraint that is checked row by row, and the columns that its entries are made of. */
interface UniqueIndex {
  readonly columns: readonly IndexedColumn[];
  /** A unique index on plain columns of every row: who takes whose value can be told. */
  readonly plain: boolean;
  readonly nullsConflict: boolean;
}

interface IndexedColumn {
  readonly name: string;
  readonly nullable: boolean;
  readonly generated: boolean;
  /** A check, a foreign key or the partition depends on it, so that not every value goes. */
  readonly bound: boolean;
}

/**
 * Where kept rows hand unique values to one another, one UPDATE would fail on the order in which it meets them.
 * Gives the condition, over a live row `l` and a wanted row `f`, on which a kept row is taken out and put back in the one
 * statement that makes live equal, which works for values of any type. Not where a foreign key's action would take other rows
 * along (an untracked child with ON DELETE CASCADE, say): there the rows first give their values up, for null or for a value
 * that nobody has, and undefined is returned.
 */
export async function prepareHandover(session: Session, target: Target): Promise<string | undefined> {
  if (target.known?.different === 0) return undefined;
  const indexes = await changingIndexes(session, target);
  if (indexes.length === 0) return undefined;
  if (!(await takesOthersAlong(session, target))) return coveredDiffer(target, indexes);
  for (const index of indexes) await park(session, target, index);
  return undefined;
}

async function changingIndexes(session: Session, { table }: Target): Promise<UniqueIndex[]> {
  const rows = await session.rows(sql`
    select jsonb_agg(jsonb_build_object('name', a.attname, 'nullable', not a.attnotnull, 'generated', a.attgenerated <> '',
        'bound', exists (select from pg_constraint c where c.conrelid = a.attrelid and c.contype in ('c', 'f') and a.attnum = any (c.conkey))
          or exists (select from pg_partitioned_table p where p.partrelid = a.attrelid and a.attnum = any (p.partattrs::smallint[])))) as columns,
      i.indisunique and i.indexprs is null and i.indpred is null as plain,
      coalesce((to_jsonb(i.*) ->> 'indnullsnotdistinct')::boolean, false) as nulls_conflict
    from (select ${table.sqlName}::regclass::oid as relid union select relid from pg_partition_tree(${table.sqlName}::regclass)) r
    join pg_index i on i.indrelid = r.relid and (i.indisunique or i.indisexclusion) and i.indimmediate
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum > 0 and (
      a.attnum = any ((i.indkey::smallint[])[0:i.indnkeyatts - 1])
      or exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))
    group by i.indexrelid, i.indisunique, i.indexprs is null, i.indpred is null, to_jsonb(i.*)`);
  return rows
    .map((row) => ({
      columns: JSON.parse(row.columns ?? "[]") as IndexedColumn[],
      plain: row.plain === "t",
      nullsConflict: row.nulls_conflict === "t",
    }))
    .filter(({ columns }) => columns.some(({ name }) => !table.keyColumns.includes(name)));
}

/** Whether deleting a row, even for a moment, would do something to rows that refer to it. */
async function takesOthersAlong(session: Session, { table }: Target): Promise<boolean> {
  const row = await session.row(sql`
    select exists (
      select from pg_constraint c where c.contype = 'f' and c.confdeltype <> 'a'
      and c.confrelid in (select ${table.sqlName}::regclass union all select relid from pg_partition_tree(${table.sqlName}::regclass))
    ) as along`);
  return row?.along === "t";
}

/** Where a live row `l` and a wanted row `f` are not equal in what the indexes are made of. */
function coveredDiffer({ table }: Target, indexes: readonly UniqueIndex[]): string {
  const covering = indexes.flatMap(({ columns }) => columns);
  const names = covering.map(({ name }) => name);
  const all = covering.some(({ generated }) => generated);
  return differs({ columns: table.columns.filter(({ name }) => all || names.includes(name)) }, "l", "f");
}

/** The rows that hold a value which another row is to have give it up. */
async function park(session: Session, target: Target, index: UniqueIndex): Promise<void> {
  const { table, wanted } = target;
  const parking = parkingOf(target, index);
  if (parking === undefined) return; // the statement that makes live equal tells which constraint stands in the way
  const same = index.columns
    .map(({ name }) => `taker.${quoteIdentifier(name)} = l.${quoteIdentifier(name)}`)
    .join(" and ");
  const taken = index.plain
    ? `exists (select from ${wanted} taker join ${table.sqlName} before on ${sameKey(table, "taker", "before")}
        where ${same} and not (${sameKey(table, "taker", "l")}))`
    : "true";
  await session.rows(sql`
    update ${raw(table.sqlName)} l set ${raw(parking.column.quoted)} = p.free
    from (
      select l.*, (${raw(parking.free)})::${raw(parking.column.type)} as free
      from ${raw(table.sqlName)} l join ${raw(wanted)} f on ${raw(sameKey(table, "l", "f"))} and ${raw(coveredDiffer(target, [index]))}
      where ${raw(taken)}
    ) p
    where ${raw(sameKey(table, "l", "p"))}`);
}

/** A column to change for a moment, with the value for it: null where that conflicts with nothing, else one that no row has. */
function parkingOf({ table }: Target, index: UniqueIndex): { column: FoldColumn; free: string } | undefined {
  const choices = index.columns.flatMap(({ name, nullable, bound }) => {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (column === undefined || column.identity === "a" || table.keyColumns.includes(name)) return [];
    const free = nullable && !index.nullsConflict ? "null" : freeValue(column.type);
    return free === undefined ? [] : [{ column, free, bound }];
  });
  return choices.find(({ bound }) => !bound) ?? choices[0];
}

const number = "row_number() over ()";

/** A value that no row has, by type. */
const freeValues: readonly (readonly [RegExp, string])[] = [
  [
    /^(text|character varying|character|citext)$/,
    `case getdatabaseencoding() when 'UTF8' then chr(57344 + (${number} % 6400)::integer) else '' end || gen_random_uuid()`,
  ],
  [/^uuid$/, "gen_random_uuid()"],
  [/^bytea$/, "convert_to(gen_random_uuid()::text, 'UTF8')"],
  [/^smallint$/, `-${number}::smallint - 1`],
  [/^integer$/, `-2000000000 - ${number}::integer`],
  [/^bigint$/, `-9000000000000000000 - ${number}`],
  [/^numeric$/, `-1e30 - ${number}`],
  [/^(real|double precision)$/, `-1e30 * ${number}`],
  [/^date$/, `date '5874897-12-31' - ${number}::integer`],
  [/^timestamp/, `timestamp '294276-12-31' - ${number} * interval '1 second'`],
  [/range$/, "'empty'"],
];

function freeValue(type: string): string | undefined {
  const name = type.replace(/\(.*?\)/, "");
  return freeValues.find(([pattern]) => pattern.test(name))?.[1];
}
