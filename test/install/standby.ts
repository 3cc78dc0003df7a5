import { chownSync, cpSync, lchownSync, lstatSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { startPostgres, type RunningPostgres } from "../../dev/postgres.mjs";

/**
 * A streaming standby of a server of ours, made as pg_basebackup does: the data folder copied between the start and the end of a
 * backup. The launcher starts a server of its own first; its folder then becomes the copy, and it is started again.
 */
export async function startStandby(primary: RunningPostgres): Promise<RunningPostgres> {
  const standby = await startPostgres({
    server: "own",
    settings: { primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres application_name=standby` },
  });
  const [from, to] = [primary.dataDir ?? "", standby.dataDir ?? ""];
  const { uid, gid } = statSync(to);
  const client = new pg.Client({ connectionString: primary.url });
  await client.connect();
  try {
    const is14 = primary.version?.startsWith("14.") === true;
    await client.query(
      `select ${is14 ? "pg_start_backup('standby', true, false)" : "pg_backup_start('standby', true)"}`,
    );
    for (const name of readdirSync(to)) if (name !== "postmaster.pid") rmSync(join(to, name), { recursive: true });
    cpSync(from, to, { recursive: true, filter: (path) => !/postmaster\.(?:pid|opts)$/.test(path) });
    const { rows } = await client.query<{ labelfile: string }>(
      `select labelfile from ${is14 ? "pg_stop_backup(false, false)" : "pg_backup_stop(false)"}`,
    );
    writeFileSync(join(to, "backup_label"), rows[0]?.labelfile ?? "");
  } finally {
    await client.end();
  }
  writeFileSync(join(to, "standby.signal"), "");
  own(to, uid, gid);
  await standby.crash();
  return standby;
}

function own(path: string, uid: number, gid: number): void {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return lchownSync(path, uid, gid);
  chownSync(path, uid, gid);
  if (stats.isDirectory()) for (const name of readdirSync(path)) own(join(path, name), uid, gid);
}
