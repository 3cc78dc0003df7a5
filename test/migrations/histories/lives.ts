import type pg from "pg";
import { keysOf, liveName, type Table } from "./model.js";
import { quoted } from "./quoted.js";

/**
 * Which lives of records have ended: one that comes again under its key is another. Noted by the session that writes,
 * in its transaction.
 */
export const makeDeaths = "create table scratch.deaths (id bigserial, table_id int, key jsonb, rekeyed boolean)";

/** As the log has keys: one column as text, several as values; documents as their text. */
const keyOf = (table: Table, alias: string) => {
  const values = keysOf(table).map(
    ({ name, type }) => `to_jsonb(${alias}.${quoted(name)}${type === "jsonb" ? "::text" : ""})`,
  );
  return values.length === 1 ? `jsonb_build_array(${values[0]} #>> '{}')` : `jsonb_build_array(${values.join(", ")})`;
};

/** Runs a write and notes the records that it ends. */
export async function notingDeaths(client: pg.Client, tables: readonly Table[], write: () => Promise<void>) {
  const before = await keysOfAll(client, tables);
  await write();
  for (const [index, after] of (await keysOfAll(client, tables)).entries())
    await noteDeaths(
      client,
      tables[index],
      (before[index] ?? []).filter((key) => !after.includes(key)),
    );
}

/** After DDL that may have given a table's records other keys: if any has another, all have ended, and others begin. */
export async function noteOtherKeys(
  client: pg.Client,
  table: Table,
  before: readonly string[],
  { isKnown }: { isKnown: boolean },
): Promise<boolean> {
  const now = await keys(client, table);
  if (!isKnown && before.every((key) => now.includes(key))) return false;
  await noteDeaths(client, table, [...new Set([...before, ...now])], { rekeyed: true });
  return true;
}

/** After DDL that gave all records other keys: those of a copy have ended too, whichever rows there are now. */
export async function noteRecordsOf(client: pg.Client, table: Table, copy: string): Promise<void> {
  await client.query(
    `insert into scratch.deaths (table_id, key, rekeyed)
     select distinct ${table.id}, ${keyOf(table, "c")}, true from ${copy} c`,
  );
}

/** After DDL that took rows away: they have ended. */
export async function noteLostRows(client: pg.Client, table: Table, before: readonly string[]): Promise<void> {
  const now = await keys(client, table);
  await noteDeaths(
    client,
    table,
    before.filter((key) => !now.includes(key)),
  );
}

export async function keysOfAll(client: pg.Client, tables: readonly Table[]): Promise<string[][]> {
  const all: string[][] = [];
  for (const table of tables) all.push(await keys(client, table));
  return all;
}

async function noteDeaths(
  client: pg.Client,
  table: Table | undefined,
  ended: readonly string[],
  { rekeyed = false } = {},
): Promise<void> {
  if (table === undefined || ended.length === 0) return;
  const sql = "insert into scratch.deaths (table_id, key, rekeyed) select $1, unnest($2::text[])::jsonb, $3";
  await client.query(sql, [table.id, ended, rekeyed]);
}

async function keys(client: pg.Client, table: Table): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `select ${keyOf(table, "l")}::text as key from ${liveName(table)} l order by 1`,
  );
  return rows.map(({ key }) => key);
}

/**
 * SQL: the live row `l` of the record of a row `c` of a copy, in the life that it had when the copy was taken; or in one
 * that began as keys changed, if that is taken for the same.
 */
export function liveRow(table: Table, copy: string, { orRekeyed = false } = {}): string {
  const same = keysOf(table).map(({ name }) => `l.${quoted(name)} = c.${quoted(name)}`);
  const taken = `(select coalesce(max(t.deaths), 0) from scratch.taken t where t.copy = '${copy.replaceAll("'", "''")}')`;
  return `from ${liveName(table)} l
    where ${same.join(" and ")} and not exists (
      select from scratch.deaths d where d.table_id = ${table.id} and d.id > ${taken} and d.key = ${keyOf(table, "c")}
      ${orRekeyed ? "and not d.rekeyed" : ""})`;
}
