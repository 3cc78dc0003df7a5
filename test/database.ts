import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database that nobody else writes to. */
export interface TestDatabase {
  url: string;
  /** Ends the sessions still on it. */
  drop(): Promise<void>;
}

/** Makes an empty database on the server of `DATABASE_URL`: from template0, so that nothing of the server's own is in it. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `chronicle_test_${randomBytes(6).toString("hex")}`;
  await onServer(`create database "${name}" template template0`);
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => onServer(`drop database if exists "${name}" with (force)`),
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

async function onServer(sql: string): Promise<void> {
  await query(serverUrl(), sql);
}

function serverUrl(): string {
  const url = process.env["DATABASE_URL"];
  if (!url) throw new Error("The tests need DATABASE_URL; npm test starts a PostgreSQL and sets it.");
  return url;
}
