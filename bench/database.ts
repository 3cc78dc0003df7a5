import { randomBytes } from "node:crypto";
import pg from "pg";

/** Runs `work` with databases of its own on the server of `DATABASE_URL`, dropped at the end. */
export async function withDatabases<T>(count: number, work: (urls: string[]) => Promise<T>): Promise<T> {
  const names = Array.from({ length: count }, () => `chronicle_bench_${randomBytes(6).toString("hex")}`);
  try {
    for (const name of names) await runOn(serverUrl(), `create database "${name}" template template0`);
    return await work(names.map(urlOf));
  } finally {
    for (const name of names) await runOn(serverUrl(), `drop database if exists "${name}" with (force)`);
  }
}

/** Runs statements on a connection of their own; returns the rows of the last one. */
export async function runOn(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results: pg.QueryResult[] = [await client.query(text)].flat();
    return results.at(-1)?.rows ?? [];
  } finally {
    await client.end();
  }
}

export function serverUrl(): string {
  const url = process.env["DATABASE_URL"];
  if (!url) throw new Error("The benchmark needs DATABASE_URL; npm run bench starts a PostgreSQL and sets it.");
  return url;
}

function urlOf(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}
