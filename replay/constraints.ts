import { stateOf } from "../src/core/database-errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";

/** A constraint of a table, or an index, as the catalog describes it. */
export interface TableConstraint {
  readonly kind: "primary key" | "unique" | "exclusion" | "check" | "index";
  readonly name: string;
  /** Every column that it reads. */
  readonly columns: readonly string[];
  /** As the catalog writes it: a constraint's clause, or the CREATE INDEX of an index without one. */
  readonly definition: string;
  /** Whether every row of the table is known to satisfy it: not after NOT VALID. */
  readonly isValidated: boolean;
  /** What a check demands, as SQL; null for others. */
  readonly condition: string | null;
  /** The columns and expressions that an index is made of, as SQL. */
  readonly keys: readonly string[];
  /** Of a partial index, which rows it holds, as SQL. */
  readonly predicate: string | null;
  readonly nullsConflict: boolean;
  /** Whether a value can be refused by what the index computes. */
  readonly computes: boolean;
}

/** A column that is NOT NULL. */
export interface RequiredColumn {
  readonly name: string;
  readonly isValidated: boolean;
}

/** The constraints and indexes of a table, but foreign keys and NOT NULLs. */
export async function constraintsOf(session: Session, relation: string): Promise<TableConstraint[]> {
  const rows = await session.rows(sql`
    with found as (
      select i.indexrelid, i.indrelid, i.indkey::smallint[] as numbers, coalesce(c.conname, x.relname) as name,
        case c.contype when 'p' then 'primary key' when 'u' then 'unique' when 'x' then 'exclusion'
          else case when i.indisunique then 'unique' else 'index' end end as kind,
        case when c.oid is null then pg_get_indexdef(i.indexrelid) else pg_get_constraintdef(c.oid) end as definition,
        true as validated, null as condition, pg_get_expr(i.indpred, i.indrelid) as predicate, i.indnkeyatts as keys,
        coalesce((to_jsonb(i.*) ->> 'indnullsnotdistinct')::boolean, false) as nulls_conflict,
        i.indexprs is not null or i.indpred is not null as computes
      from pg_index i
      join pg_class x on x.oid = i.indexrelid
      left join pg_constraint c
        on c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x')
      where i.indrelid = ${relation}::regclass
      and (i.indisvalid or c.oid is not null)
      union all
      select null, c.conrelid, c.conkey, c.conname, 'check', pg_get_constraintdef(c.oid), c.convalidated,
        case when coalesce((to_jsonb(c.*) ->> 'conenforced')::boolean, true) then pg_get_expr(c.conbin, c.conrelid) end,
        null, 0, false, true
      from pg_constraint c
      where c.conrelid = ${relation}::regclass
      and c.contype = 'c'
    )
    select jsonb_build_object(
      'kind', kind, 'name', name, 'definition', definition, 'isValidated', validated, 'condition', condition,
      'predicate', predicate, 'nullsConflict', nulls_conflict, 'computes', computes,
      'keys', to_jsonb(array(select pg_get_indexdef(indexrelid, n, false) from generate_series(1, keys) n)),
      'columns', to_jsonb(array(
        select a.attname from pg_attribute a
        where a.attrelid = indrelid
        and a.attnum > 0
        and (a.attnum = any (numbers) or exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass
          and d.objid = indexrelid
          and d.refclassid = 'pg_class'::regclass
          and d.refobjid = indrelid
          and d.refobjsubid = a.attnum
        ))
        order by a.attnum
      ))
    ) as found
    from found
    order by kind, name`);
  return rows.map(({ found }) => JSON.parse(found ?? "{}") as TableConstraint);
}

/** The command that makes the same constraint or index on another relation. */
export function commandOf({ definition }: TableConstraint, relation: string): string {
  if (!definition.startsWith("CREATE ")) return `alter table ${relation} add ${definition}`;
  return definition.replace(
    /^CREATE (UNIQUE )?INDEX [^]*? USING /,
    (_, unique = "") => `create ${unique}index on ${relation} using `,
  );
}

export async function requiredColumns(session: Session, relation: string): Promise<RequiredColumn[]> {
  const rows = await session.rows(sql`
    select a.attname as name, not exists (
      select from pg_constraint c
      where c.conrelid = a.attrelid
      and c.contype = 'n'
      and a.attnum = any (c.conkey)
      and not c.convalidated
    ) as validated
    from pg_attribute a
    where a.attrelid = ${relation}::regclass
    and a.attnum > 0
    and a.attnotnull
    and not a.attisdropped
    order by a.attnum`);
  return rows.map(({ name, validated }) => ({ name: name ?? "", isValidated: validated === "t" }));
}

export async function setNotNull(
  session: Session,
  relation: string,
  columns: readonly string[],
  how: "set" | "drop",
): Promise<void> {
  if (columns.length === 0) return;
  const changes = columns.map((name) => `alter column ${quoteIdentifier(name)} ${how} not null`);
  await session.run(`alter table ${relation} ${changes.join(", ")}`);
}

/** How many rows have no value in each of the columns, in one scan. */
export async function countNulls(session: Session, relation: string, columns: readonly string[]): Promise<number[]> {
  if (columns.length === 0) return [];
  const counts = columns.map((name) => `count(*) filter (where ${quoteIdentifier(name)} is null)`);
  const row = await session.row(sql`
    select array_to_json(array[${raw(counts.join(", "))}]) as nulls
    from ${raw(relation)}`);
  return JSON.parse(row?.nulls ?? "[]") as number[];
}

/** How many rows hold values that an index must hold only once. */
export async function countDuplicates(
  session: Session,
  relation: string,
  { keys, predicate, nullsConflict }: TableConstraint,
): Promise<number> {
  const names = keys.map((_, index) => `k${index}`);
  const values = keys.map((key, index) => `(${key}) as k${index}`);
  const compared = nullsConflict ? "true" : names.map((name) => `${name} is not null`).join(" and ");
  const row = await session.row(sql`
    select coalesce(sum(rows), 0) as rows
    from (
      select count(*) as rows
      from (select ${raw(values.join(", "))} from ${raw(relation)} where ${raw(predicate ?? "true")}) v
      where ${raw(compared)}
      group by ${raw(names.join(", "))}
      having count(*) > 1
    ) d`);
  return numberOf(row, "rows");
}

/**
 * Whether rows are what an error is about: Postgres refused a value (class 22) or a constraint (class 23), or a value
 * is too large for an index.
 */
export function isAboutRows(error: unknown): boolean {
  return /^(22|23)...$|^54000$/.test(stateOf(error) ?? "");
}

/** Runs `work` in a savepoint and takes back what it did, whether it ends well or not. */
export async function undone<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.run("savepoint chronicle_undone");
  try {
    return await work();
  } finally {
    // A connection that is lost has failed `work` already.
    await session
      .run("rollback to savepoint chronicle_undone; release savepoint chronicle_undone")
      .catch(() => undefined);
  }
}
