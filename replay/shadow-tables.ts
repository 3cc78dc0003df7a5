import type { Session } from "../src/core/session.js";
import { quoteIdentifier, raw, sql } from "../src/core/sql.js";
import { aliveOrRefused, courseError, foldQuery, type FoldSource } from "./fold.js";
import type { FoldTable } from "./fold-table.js";

/** A tracked table and the one that stands for it in a shadow. */
export interface ShadowTable extends FoldTable {
  /** Its name in the shadow's schema. */
  readonly shadowName: string;
  /** The same for SQL text. */
  readonly shadow: string;
}

/**
 * The tables' names in a shadow: their own, and with their schema in front where two schemas have the same.
 * No column's default is there, nor identity: a shadow is read.
 */
export function shadowTables(tables: readonly FoldTable[], schema: string): ShadowTable[] {
  return tables.map((table) => {
    const { tableName } = table.metadata;
    const isShared = tables.some((other) => other !== table && other.metadata.tableName === tableName);
    const shadowName = isShared ? `${table.metadata.schema ?? "public"}__${tableName}` : tableName;
    return { ...table, shadowName, shadow: `${quoteIdentifier(schema)}.${quoteIdentifier(shadowName)}` };
  });
}

export async function createTable(session: Session, { shadow, sqlName, excludedColumns }: ShadowTable): Promise<void> {
  await session.run(
    `create table ${shadow} (like ${sqlName} including generated including storage including compression including comments)`,
  );
  // What was never recorded is not known, so it is null.
  for (const name of excludedColumns)
    await session.run(`alter table ${shadow} alter column ${quoteIdentifier(name)} drop not null`);
}

/** Folds a table straight into its shadow; returns how many rows. Throws REPLAY_RECORD_MISSING. */
export async function fillTable(session: Session, source: FoldSource, table: ShadowTable): Promise<number> {
  const columns = raw(table.columns.map(({ quoted }) => quoted).join(", "));
  try {
    return await session.write(sql`
      insert into ${raw(table.shadow)} (${columns})
      select ${columns} from (${foldQuery(source, table)}) f where ${raw(aliveOrRefused(source.schema))}`);
  } catch (error) {
    throw courseError(error, table);
  }
}

/** Indexes and constraints as live has them, but foreign keys; built over the rows that are there. */
export async function indexTable(session: Session, { shadow, sqlName }: ShadowTable): Promise<void> {
  const rows = await session.rows(sql`
    select regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .*? USING ', 'CREATE \\1INDEX ON ' || ${shadow.replaceAll("\\", "\\\\")} || ' USING ') as command
    from pg_index i
    where i.indrelid = ${sqlName}::regclass and i.indisvalid
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x') and c.conrelid = i.indrelid)
    union all
    select format('alter table %s add %s', ${shadow}::text, pg_get_constraintdef(oid))
    from pg_constraint where conrelid = ${sqlName}::regclass and contype in ('p', 'u', 'x', 'c')`);
  for (const { command } of rows) await session.run(command ?? "");
  await session.run(`analyze ${shadow}`);
}

/** Foreign keys between the shadow's tables; those that lead out of it would make live's rows depend on it. */
export async function addForeignKeys(session: Session, tables: readonly ShadowTable[]): Promise<void> {
  const names = JSON.stringify(tables.map(({ sqlName, shadow }) => ({ live: sqlName, shadow })));
  const rows = await session.rows(sql`
    with tables as (select live::regclass as live, shadow from jsonb_to_recordset(${names}::jsonb) as t (live text, shadow text))
    select format('alter table %s add %s', t.shadow, replace(pg_get_constraintdef(c.oid), format(' REFERENCES %s(', c.confrelid::regclass), format(' REFERENCES %s(', r.shadow))) as command
    from pg_constraint c join tables t on t.live = c.conrelid join tables r on r.live = c.confrelid
    where c.contype = 'f' and c.conparentid = 0`);
  for (const { command } of rows) await session.run(command ?? "");
}

export async function makeReadOnly(session: Session, schema: string, tables: readonly ShadowTable[]): Promise<void> {
  for (const { shadow } of tables) {
    await session.run(`create trigger read_only before insert or update or delete or truncate on ${shadow}
      for each statement execute function ${schema}.refuse_change('a shadow is read-only')`);
  }
}
