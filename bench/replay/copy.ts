import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from, to } from "pg-copy-streams";

/** The rows of some tables as files, to measure the fastest way there is to put them back. */
export interface CopiedRows {
  /** Puts the rows back into the tables, which are empty, in one transaction. Indexes and foreign keys stay in place. */
  restore(): Promise<void>;
  remove(): Promise<void>;
}

/** Copies the rows of tables, given parents first, to files in a temporary folder. */
export async function copyRows(url: string, tables: readonly string[]): Promise<CopiedRows> {
  const folder = await mkdtemp(join(tmpdir(), "chronicle-bench-"));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const table of tables) {
    await pipeline(client.query(to(`copy ${table} to stdout`)), createWriteStream(join(folder, table)));
  }
  return {
    async restore() {
      await client.query(`begin; ${tables.map((table) => `alter table ${table} disable trigger user`).join("; ")}`);
      for (const table of tables) {
        await pipeline(createReadStream(join(folder, table)), client.query(from(`copy ${table} from stdin`)));
      }
      await client.query(`${tables.map((table) => `alter table ${table} enable trigger user`).join("; ")}; commit`);
    },
    async remove() {
      await client.end();
      await rm(folder, { recursive: true });
    },
  };
}
