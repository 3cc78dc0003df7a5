import pg from "pg";

/** The demo's own database. It is made anew by every run, and left behind for a look around. */
const name = "chronicle_countries";

/** The server cannot be reached, or does not let us. */
export class NoDatabase extends Error {}

/** Drops and creates the demo's database on the server that `serverUrl` leads to. Returns its URL. Throws NoDatabase. */
export async function createDatabase(serverUrl: string): Promise<string> {
  try {
    return await dropAndCreate(serverUrl);
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string };
    throw new NoDatabase(`Cannot create the database ${name} on the server of DATABASE_URL: ${message || code}.`);
  }
}

async function dropAndCreate(serverUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
