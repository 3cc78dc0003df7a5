import pg from "pg";

/** What a table holds, in two words. */
export interface Fingerprint {
  readonly table: string;
  readonly rows: number;
  readonly hash: string;
}

/** Opens a connection that knows nothing of the library: whatever it reads, it reads from the tables themselves. */
export async function plainClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/** Count and hash of all rows, with all of their columns, of every table of the application. */
export async function fingerprints(client: pg.Client): Promise<Fingerprint[]> {
  const tables = await client.query<{ table: string }>(`
    select quote_ident(tablename) as "table"
    from pg_tables
    where schemaname = 'public' and tablename <> 'migrations'
    order by 1`);
  const found: Fingerprint[] = [];
  for (const { table } of tables.rows) {
    const { rows } = await client.query<Omit<Fingerprint, "table">>(`
      select count(*)::integer as rows, coalesce(md5(string_agg(line, E'\\n' order by line)), '') as hash
      from (select to_jsonb(t.*)::text collate "C" as line from ${table} t) lines`);
    if (rows[0] !== undefined) found.push({ table, ...rows[0] });
  }
  return found;
}

/** The tables whose rows differ between two readings. */
export function differingTables(one: readonly Fingerprint[], other: readonly Fingerprint[]): string[] {
  const key = ({ table, rows, hash }: Fingerprint) => `${table} ${rows} ${hash}`;
  const [ones, others] = [new Set(one.map(key)), new Set(other.map(key))];
  const differing = [...one.filter((row) => !others.has(key(row))), ...other.filter((row) => !ones.has(key(row)))];
  return [...new Set(differing.map(({ table }) => table))];
}

/** An attempt to rewrite history, and what the database answered. */
export interface Attempt {
  readonly statement: string;
  /** Null where it went through. */
  readonly refusal: string | null;
}

/** Tries to change the log as its owner, each time inside a transaction that is rolled back whatever happens. */
export async function tryToRewriteHistory(client: pg.Client): Promise<Attempt[]> {
  const statements = [
    "update chronicle.event set actor_name = 'Eve'",
    "delete from chronicle.event",
    "truncate chronicle.event",
  ];
  const attempts: Attempt[] = [];
  for (const statement of statements) {
    await client.query("begin");
    const refusal = await client.query(statement).then(
      () => null,
      (error: Error) => error.message,
    );
    await client.query("rollback");
    attempts.push({ statement, refusal });
  }
  return attempts;
}

/** The highest id of the notes and the one that a new note would get; the transaction is rolled back. */
export async function nextNoteId(client: pg.Client): Promise<{ highest: number; next: number }> {
  await client.query("begin");
  try {
    const highest = await client.query<{ id: number }>("select max(id) as id from note");
    const next = await client.query<{ id: number }>(
      "insert into note (text, country, revision) values ('A new note', 'CHE', 1) returning id",
    );
    return { highest: highest.rows[0]?.id ?? 0, next: next.rows[0]?.id ?? 0 };
  } finally {
    await client.query("rollback");
  }
}
