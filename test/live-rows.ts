import { expect } from "chai";
import pg from "pg";

/**
 * What the application's tables hold, by table: each row as canonical jsonb and, because jsonb holds 1.0 and 1.00 for equal,
 * as the text of each column. Tables outside the log's schema, tracked or not; partitions by themselves.
 */
export type LiveRows = ReadonlyMap<string, readonly string[]>;

/** Reads the rows with plain SQL in one snapshot: nothing of the library takes part. */
export async function readLiveRows(url: string, { logSchema = "chronicle" } = {}): Promise<LiveRows> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      "start transaction isolation level repeatable read read only; set local timezone = 'UTC'; set local extra_float_digits = 1",
    );
    const tables = await client.query<{ name: string; columns: string[] }>(
      `select format('%I.%I', n.nspname, c.relname) as name, array_agg(format('t.%I::text', a.attname) order by a.attnum) as columns
       from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
       where c.relkind = 'r' and n.nspname <> $1 and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
       and a.attnum > 0 and not a.attisdropped
       group by n.nspname, c.relname order by 1`,
      [logSchema],
    );
    const rows = new Map<string, readonly string[]>();
    for (const { name, columns } of tables.rows) {
      const found = await client.query<{ row: string }>(
        `select jsonb_build_array(to_jsonb(t.*), array[${columns.join(", ")}])::text as row from only ${name} t order by 1`,
      );
      rows.set(
        name,
        found.rows.map(({ row }) => row),
      );
    }
    return rows;
  } finally {
    await client.end();
  }
}

/** What one set of rows lacks of the other, and the other way round, a line each. */
export function differencesOf(actual: LiveRows, wanted: LiveRows): string[] {
  return [...new Set([...wanted.keys(), ...actual.keys()])].flatMap((table) => [
    ...without(wanted.get(table), actual.get(table)).map((row) => `- ${table} ${row}`),
    ...without(actual.get(table), wanted.get(table)).map((row) => `+ ${table} ${row}`),
  ]);
}

/** Fails where a row is missing, added, or other than it was. Two empty databases prove nothing and fail too. */
export function expectSameRows(actual: LiveRows, wanted: LiveRows, message = "rows"): void {
  const differences = differencesOf(actual, wanted);
  expect(differences.slice(0, 12), `${message}: ${differences.length} differences`).to.deep.equal([]);
  expect([...wanted.values()].flat(), `${message} to compare`).to.not.be.empty;
}

/** Rows are counted: one that is there twice is not the same as once. */
function without(rows: readonly string[] = [], taken: readonly string[] = []): string[] {
  const counts = new Map<string, number>();
  for (const row of taken) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const left = counts.get(row) ?? 0;
    counts.set(row, left - 1);
    return left <= 0;
  });
}
