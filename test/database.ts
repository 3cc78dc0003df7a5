import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database that nobody else writes to. */
export interface TestDatabase {
  url: string;
  /** Ends the sessions still on it. */
  drop(): Promise<void>;
}

/**
 * Makes a database on the server of `DATABASE_URL`: an empty one from template0, so that nothing of the server's own is in it,
 * or a copy of another one that nobody is connected to.
 */
export async function createDatabase({
  copyOf,
  server = serverUrl(),
}: { copyOf?: TestDatabase | undefined; server?: string | undefined } = {}): Promise<TestDatabase> {
  const name = `chronicle_test_${randomBytes(6).toString("hex")}`;
  const template = copyOf === undefined ? "template0" : new URL(copyOf.url).pathname.slice(1);
  await query(server, `create database "${name}" template "${template}"`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => void (await query(server, `drop database if exists "${name}" with (force)`)),
  };
}

/** Runs one query on a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

function serverUrl(): string {
  const url = process.env["DATABASE_URL"];
  if (!url) throw new Error("The tests need DATABASE_URL; npm test starts a PostgreSQL and sets it.");
  return url;
}
