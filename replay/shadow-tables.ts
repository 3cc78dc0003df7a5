import { stateOf } from "../src/core/database-errors.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import {
  commandOf,
  constraintsOf,
  countNulls,
  isAboutRows,
  requiredColumns,
  setNotNull,
  type TableConstraint,
} from "./constraints.js";
import { aliveOrRefused, foldQuery } from "./fold.js";
import type { FoldSource } from "./fold-source.js";
import { foldFailure } from "./fold-failure.js";
import type { FoldTable } from "./fold-table.js";

/** A tracked table and the one that stands for it in a shadow. */
export interface ShadowTable extends FoldTable {
  /** Its name in the shadow's schema. */
  readonly shadowName: string;
  /** The same for SQL text. */
  readonly shadow: string;
}

/** What today's table has and the rows of a shadow break, so that the shadow's table lacks it. */
export interface LeftOut {
  readonly entity: string;
  /** The live table, as the log names it. */
  readonly table: string;
  /**
   * An index is here where it cannot hold a value of the past: one too large for it, or one that its expression
   * refuses.
   */
  readonly kind: TableConstraint["kind"] | "not null" | "foreign key";
  /** Its name in live; null for a NOT NULL, which has none before PostgreSQL 18. */
  readonly constraint: string | null;
  /** The columns that it is about, in the table's order; those of an expression too. */
  readonly columns: readonly string[];
}

/**
 * The tables' names in a shadow: their own, and with their schema in front where two schemas have the same.
 * No column's default is there, nor identity: a shadow is read.
 */
export function shadowTables(tables: readonly FoldTable[], schema: string): ShadowTable[] {
  return tables.map((table) => {
    const [schemaName, name] = table.path;
    const isShared = tables.some((other) => other !== table && other.path[1] === name);
    const shadowName = isShared ? `${schemaName}__${name}` : name;
    return { ...table, shadowName, shadow: `${quoteIdentifier(schema)}.${quoteIdentifier(shadowName)}` };
  });
}

export async function createTable(session: Session, { shadow, sqlName, excludedColumns }: ShadowTable): Promise<void> {
  await session.run(
    `create table ${shadow}
     (like ${sqlName} including generated including storage including compression including comments)`,
  );
  // What was never recorded is not known, so it is null.
  await setNotNull(session, shadow, excludedColumns, "drop");
}

/** Folds a table straight into its shadow; returns how many rows. Throws FoldFailure. */
export async function fillTable(session: Session, source: FoldSource, table: ShadowTable): Promise<number> {
  const columns = raw(table.columns.map(({ quoted }) => quoted).join(", "));
  try {
    return await session.write(sql`
      insert into ${raw(table.shadow)} (${columns})
      select ${columns} from (${foldQuery(source, table)}) f where ${raw(aliveOrRefused(source.schema))}`);
  } catch (error) {
    throw foldFailure(error, source, table);
  }
}

/**
 * Whether a table could not be filled because a column that is NOT NULL has no value; a domain's NOT NULL is another
 * matter.
 */
export function lacksValue(error: unknown): boolean {
  return stateOf(error) === "23502" && (error as { dataType?: string }).dataType === undefined;
}

/** Empties a table whose filling failed, and takes its NOT NULLs off; returns the columns that had one. */
export async function allowNulls(session: Session, { shadow }: ShadowTable): Promise<string[]> {
  const names = (await requiredColumns(session, shadow)).map(({ name }) => name);
  await session.run(`truncate ${shadow}`);
  await setNotNull(session, shadow, names, "drop");
  return names;
}

/**
 * Puts the NOT NULLs that `allowNulls` took off on again; returns those that stay off because a row has no value there.
 */
export async function refuseNulls(
  session: Session,
  table: ShadowTable,
  columns: readonly string[],
): Promise<LeftOut[]> {
  const nulls = await countNulls(session, table.shadow, columns);
  const isBroken = (_: string, index: number) => (nulls[index] ?? 0) > 0;
  await setNotNull(
    session,
    table.shadow,
    columns.filter((name, index) => !isBroken(name, index)),
    "set",
  );
  return columns.filter(isBroken).map((name) => leftOut(table, "not null", null, [name]));
}

/**
 * Indexes and constraints as live has them, but foreign keys; built over the rows that are there. Returns those that
 * they break.
 */
export async function indexTable(session: Session, table: ShadowTable): Promise<LeftOut[]> {
  const broken: LeftOut[] = [];
  for (const constraint of await constraintsOf(session, table.sqlName)) {
    const { kind, name, columns } = constraint;
    if (!(await isMade(session, commandOf(constraint, table.shadow)))) broken.push(leftOut(table, kind, name, columns));
  }
  await session.run(`analyze ${table.shadow}`);
  return broken;
}

/**
 * Foreign keys between the shadow's tables; those that lead out of it would make live's rows depend on it. Returns
 * those that the rows break, or that refer to a key which is left out.
 */
export async function addForeignKeys(session: Session, tables: readonly ShadowTable[]): Promise<LeftOut[]> {
  const names = JSON.stringify(tables.map(({ sqlName, shadow }) => ({ live: sqlName, shadow })));
  const rows = await session.rows(sql`
    with tables as (
      select live, live::regclass as relation, shadow
      from jsonb_to_recordset(${names}::jsonb) as t (live text, shadow text)
    )
    select t.live, c.conname as name,
      format('alter table %s add %s', t.shadow, replace(
        pg_get_constraintdef(c.oid),
        format(' REFERENCES %s(', c.confrelid::regclass),
        format(' REFERENCES %s(', r.shadow)
      )) as command,
      to_jsonb(array(
        select a.attname
        from pg_attribute a
        where a.attrelid = c.conrelid
        and a.attnum = any (c.conkey)
        order by a.attnum
      )) as columns
    from pg_constraint c
    join tables t on t.relation = c.conrelid
    join tables r on r.relation = c.confrelid
    where c.contype = 'f'
    and c.conparentid = 0
    order by t.live, c.conname`);
  const broken: LeftOut[] = [];
  for (const { live, name, command, columns } of rows) {
    const table = tables.find(({ sqlName }) => sqlName === live);
    if (table === undefined || (await isMade(session, command ?? ""))) continue;
    broken.push(leftOut(table, "foreign key", name ?? null, JSON.parse(columns ?? "[]") as string[]));
  }
  return broken;
}

function leftOut(
  { entity, tableName }: ShadowTable,
  kind: LeftOut["kind"],
  constraint: string | null,
  columns: readonly string[],
): LeftOut {
  return { entity, table: tableName, kind, constraint, columns };
}

/** Runs a command that makes a constraint or index; false, and nothing is made, where the rows break it. */
async function isMade(session: Session, command: string): Promise<boolean> {
  try {
    await session.run(`savepoint chronicle_constraint; ${command}; release savepoint chronicle_constraint`);
    return true;
  } catch (error) {
    const hasNoKey = stateOf(error) === "42830"; // the key that a foreign key refers to is left out
    if (!isAboutRows(error) && !hasNoKey) throw error;
    await session.run("rollback to savepoint chronicle_constraint; release savepoint chronicle_constraint");
    return false;
  }
}

export async function makeReadOnly(session: Session, schema: string, tables: readonly ShadowTable[]): Promise<void> {
  for (const { shadow } of tables) {
    await session.run(`create trigger read_only before insert or update or delete or truncate on ${shadow}
      for each statement execute function ${schema}.refuse_change('a shadow is read-only')`);
  }
}
