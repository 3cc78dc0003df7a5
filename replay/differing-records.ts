import { isValueError } from "../src/core/database-errors.js";
import type { Session } from "../src/core/session.js";
import { join, quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import type { FormerKeyColumn } from "../src/log/comparison.js";
import type { Cut } from "../src/log/cut.js";
import { stateQuery } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { type FoldColumn, type FoldTable, isReadApart, valueSql } from "./fold-table.js";
import type { Plan } from "./plan.js";

/** What is compared. */
export interface Comparing {
  readonly schema: string;
  readonly table: FoldTable;
  readonly plan: Plan;
  /** The table of changes that stand in for events of old versions. */
  readonly staged: string;
  readonly images: Images;
  /** Of the records that the log knows, these columns. */
  readonly columns: readonly FoldColumn[];
  /**
   * Of these, if handlers make older events, the value is recorded only for records that have none: what a handler gave
   * stands.
   */
  readonly added: readonly string[];
  /** Rows that the log does not know differ. */
  readonly unknownRows: boolean;
  /** Records that the table does not have differ. */
  readonly missingRows: boolean;
  /** Whose rows: the table, or a partition of it. (Default: the table) */
  readonly relation?: string | undefined;
  /** The key that records had before, by columns that the table still has. */
  readonly formerKey?: readonly FormerKeyColumn[] | undefined;
}

/** SQL that makes values in the log. */
export interface Images {
  /** Of a whole row `t`. */
  readonly row: string;
  /** Of each column of a row under the alias `row`. */
  readonly columns: Readonly<Record<string, string>>;
  /**
   * Columns that the database computes. They are not compared, but what they are is recorded with what made them
   * another: should one become an ordinary column, its older values are in the log.
   */
  readonly generated: readonly string[];
}

export async function imagesOf(session: Session, schema: string, table: FoldTable): Promise<Images> {
  const row = await session.row(sql`
    select ${raw(schema)}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as row,
      (select jsonb_object_agg(c.name, ${raw(schema)}.column_image_sql(${raw(quoteLiteral(" chronicle row"))}, c.name, c.kind))
       from ${raw(schema)}.columns(${table.sqlName}::regclass) c) as columns,
      (select jsonb_agg(c.name) from ${raw(schema)}.columns(${table.sqlName}::regclass) c
       where c.generated and c.name <> all (${table.excludedColumns}::text[])) as generated`);
  return {
    row: row?.row ?? "",
    columns: JSON.parse(row?.columns ?? "{}") as Record<string, string>,
    generated: JSON.parse(row?.generated ?? "[]") as string[],
  };
}

/** Records by their keys in the log, and their rows by the values of the key's columns, as text. */
export interface Keys {
  readonly records: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Everything that is committed, and this transaction's own. */
const everything: Cut = { position: 2n ** 63n - 1n, leftOut: [], epoch: 0 };

export function sourceOf({ schema, plan, staged }: Comparing): FoldSource {
  return { schema, cut: everything, plan, staged };
}

/**
 * Makes a temporary table of the records that differ, numbered from 1: what is to be recorded of each, as insertEvents
 * takes it (record_key, record_id, image, action, data, previous, more), and its row (row_table, row_place and
 * row_version, which say whether it was written since, and its key, key_0 and so on). In the order in which rows lie in
 * their tables; records without a row come last, with no more than their key. Returns how many there are.
 */
export async function findDifferences(
  session: Session,
  comparing: Comparing,
  name: string,
  only?: Keys,
): Promise<number> {
  const find = async (byValue: boolean) => {
    await session.run(`drop table if exists pg_temp.${name}`);
    return session.write(sql`create temporary table ${raw(name)} as ${differingRecords(comparing, byValue, only)}`);
  };
  const found = await session
    .attempt(() => find(true))
    .catch((error: unknown) => {
      if (!isValueError(error)) throw error;
      // A stored value does not cast to the column's type: images decide, and a value in another form is another one.
      return find(false);
    });
  await session.run(`create unique index on pg_temp.${name} (ordinal); analyze pg_temp.${name} (ordinal, row_place)`);
  return found;
}

/** SQL over `row`: whether it is one of these. */
export function isRowOf({ keyColumns, columns }: FoldTable, { rows }: Keys): Statement {
  const typeOf = (name: string) => columns.find((column) => column.name === name)?.type ?? "text";
  const list = keyColumns.map((name) => `${row}.${quoteIdentifier(name)}`).join(", ");
  const values = rows.map((column, index) => sql`${column}::text[]::${raw(typeOf(keyColumns[index] ?? ""))}[]`);
  return sql`(${raw(list)}) in (select * from unnest(${join(values, ", ")}))`;
}

/** SQL over `row`: its key in the log. */
export function keySql({ schema, table: { keyColumns }, images }: Comparing): string {
  const value = (name: string) => images.columns[name] ?? "null";
  const id = keyColumns.map((name) => `${quoteLiteral(name)}, ${value(name)}`).join(", ");
  const made = `${schema}.record_key(jsonb_build_object(${id}), array[${keyColumns.map(quoteLiteral).join(", ")}]::text[])`;
  const [name = "", ...others] = keyColumns;
  if (others.length > 0) return made;
  // What record_key makes of one short value, without a call.
  const text = `(${value(name)} #>> '{}')`;
  return `(case when length(${text}) <= 500 then ${text} else ${made} end)`;
}

/** What no column of a table is called. */
const own = (name: string) => quoteIdentifier(` chronicle ${name}`);
/** A row of the table, or what a query makes of it: an alias that means the row as a whole, too. */
export const row = own("row");
const [key, knownKey, isAlive, state] = [own("key"), own("known key"), own("alive"), own("state")];
const isDifferent = (index: number) => own(`differs ${index}`);

function liveRows(comparing: Comparing, only: Keys | undefined): Statement {
  const { table, columns, images, relation = table.sqlName } = comparing;
  const names = new Set([...columns.map(({ name }) => name), ...images.generated, ...identifying(table)]);
  const list = [...names].map((name) => `${row}.${quoteIdentifier(name)}`).join(", ");
  return sql`
    select ${raw(list)}, ${raw(keySql(comparing))} as ${raw(key)}, ${raw(row)} as ${raw(own("whole"))},
      ${raw(row)}.tableoid as ${raw(own("table"))}, ${raw(row)}.ctid as ${raw(own("place"))},
      ${raw(row)}.xmin as ${raw(own("version"))}
    from ${raw(relation)} ${raw(row)}
    ${only === undefined ? sql`` : sql`where ${isRowOf(table, only)}`}
    offset 0`;
}

/** The columns that every event needs: those of its key, its tenant and its entity. */
function identifying({ keyColumns, tenantColumn, discriminatorColumn }: FoldTable): string[] {
  return [...new Set([...keyColumns, ...[tenantColumn, discriminatorColumn].flatMap((name) => name ?? [])])];
}

/** Each row joined with its record in the log; also rows without a record, and records without a row. */
function rowsAndRecords(comparing: Comparing, byValue: boolean, only: Keys | undefined): Statement {
  const { table } = comparing;
  const source = sourceOf(comparing);
  const events = only === undefined ? source : { ...source, only: sql`e.record_key = any (${only.records})` };
  const apart = table.columns.filter(isReadApart).map(({ name }) => quoteLiteral(name));
  const isRebuilt = byValue && apart.length < table.columns.length;
  const rebuilt = sql`left join lateral jsonb_populate_record(
    null::${raw(table.sqlName)}, case when f.alive then f.state - array[${raw(apart.join(", "))}]::text[] end) r on true`;
  // A full join runs as a hash or merge join, so that a wrong estimate cannot make the planner fold once for each row.
  return sql`
    select ${raw(row)}.*, f.record_key as ${raw(knownKey)}, f.alive as ${raw(isAlive)}, f.state as ${raw(state)}
      ${raw(differences(comparing, byValue).join(""))}
    from (${liveRows(comparing, only)}) ${raw(row)}
    full join (${stateQuery(events, table)}) f on f.record_key = ${raw(row)}.${raw(key)}
    ${isRebuilt ? rebuilt : sql``}
    offset 0`;
}

/** For each column, SQL over `row` and the fold `f` of its record: whether they differ. */
function differences({ columns, images, added, plan }: Comparing, byValue: boolean): string[] {
  return columns.map((column, index) => {
    const name = quoteLiteral(column.name);
    const value = valueSql(column);
    const conditions = [
      "f.alive",
      `${row}.${key} is not null`,
      ...(byValue
        ? [
            `row(${value})::record *<> row(${row}.${column.quoted})::record`,
            `(${value})::text is distinct from ${row}.${column.quoted}::text`,
          ]
        : []),
      `(f.state ->> ${name}) is distinct from (${images.columns[column.name] ?? "null"} #>> '{}')`,
      ...(added.includes(column.name) && plan.handled !== "" ? [`not f.state ? ${name}`] : []),
    ];
    return `, ${conditions.join(" and ")} as ${isDifferent(index)}`;
  });
}

function differingRecords(comparing: Comparing, byValue: boolean, only: Keys | undefined): Statement {
  const { schema, table, columns, images, unknownRows, missingRows, formerKey } = comparing;
  const keys = table.keyColumns.map((name, index) => `${row}.${quoteIdentifier(name)} as key_${index}`).join(", ");
  const object = (names: readonly string[], value: (name: string) => string) =>
    `jsonb_build_object(${names.map((name) => `${quoteLiteral(name)}, ${value(name)}`).join(", ")})`;
  const ofRow = (name: string) => images.columns[name] ?? "null";
  const recorded = [
    ...columns.map(({ name }, index) => [name, `${row}.${isDifferent(index)}`] as const),
    ...images.generated.map(
      (name) =>
        [name, `(${row}.${state} ->> ${quoteLiteral(name)}) is distinct from (${ofRow(name)} #>> '{}')`] as const,
    ),
  ];
  const ofDifferent = (value: (name: string) => string) =>
    recorded
      .map(([name, differs]) => `case when ${differs} then ${object([name], value)} else '{}' end`)
      .join(" || ") || "'{}'::jsonb";
  const more = formerKey === undefined ? "null::jsonb" : formerRecord(schema, formerKey);
  return sql`
    select row_number() over (order by d.row_table, d.row_place) as ordinal, d.*
    from (
      select ${raw(row)}.${raw(own("table"))} as row_table, ${raw(row)}.${raw(own("place"))} as row_place,
        ${raw(row)}.${raw(own("version"))} as row_version, ${raw(keys)},
        coalesce(${raw(row)}.${raw(key)}, ${raw(row)}.${raw(knownKey)}) as record_key,
        ${raw(object(table.keyColumns, (name) => `i.image -> ${quoteLiteral(name)}`))} as record_id,
        case when ${raw(row)}.${raw(key)} is null then 'destroy' when ${raw(row)}.${raw(isAlive)} then 'update' else 'create' end as action,
        case when ${raw(row)}.${raw(isAlive)} then ${raw(ofDifferent(ofRow))} else i.image end as data,
        case when ${raw(row)}.${raw(isAlive)}
          then ${raw(ofDifferent((name) => `${row}.${state} -> ${quoteLiteral(name)}`))}
          else '{}'
        end as previous,
        i.image,
        case when ${raw(row)}.${raw(key)} is not null and ${raw(row)}.${raw(isAlive)} is not true then ${raw(more)} end as more
      from (${rowsAndRecords(comparing, byValue, only)}) ${raw(row)}
      left join lateral (
        select case
          when ${raw(row)}.${raw(isAlive)} then ${raw(object(identifying(table), ofRow))}
          else (select ${raw(images.row)} from (select (${raw(row)}.${raw(own("whole"))}).*) t)
        end as image
        offset 0
      ) i on ${raw(row)}.${raw(key)} is not null
      where case
        when ${raw(row)}.${raw(key)} is null then ${raw(missingRows ? `${row}.${isAlive} is not false` : "false")}
        when ${raw(row)}.${raw(isAlive)} then ${raw(columns.map((_, index) => `${row}.${isDifferent(index)}`).join(" or ") || "false")}
        else ${raw(String(unknownRows))}
      end
    ) d`;
}

/** SQL over an image `i.image`: which record it was before its table got another key. */
function formerRecord(schema: string, columns: readonly FormerKeyColumn[]): string {
  const values = columns.map(({ name, labels }) => {
    const value = `i.image -> ${quoteLiteral(name)}`;
    if (Object.keys(labels).length === 0) return `${quoteLiteral(name)}, ${value}`;
    return `${quoteLiteral(name)}, ${schema}.relabelled(${value}, ${quoteLiteral(JSON.stringify(labels))}::jsonb)`;
  });
  const names = `array[${columns.map(({ name }) => quoteLiteral(name)).join(", ")}]::text[]`;
  return `(select jsonb_build_object('rekeyed', jsonb_build_object(
        'from', k.id, 'key', ${schema}.record_key(k.id, ${names})))
      from (select jsonb_build_object(${values.join(", ")}) as id) k)`;
}
