import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { runOn, serverUrl } from "./database.js";

const settings = [
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "shared_buffers",
  "max_wal_size",
  "work_mem",
  "max_parallel_workers_per_gather",
];

/** What the figures were measured on: they mean nothing without it. */
export async function machine(): Promise<Record<string, string>> {
  const [row] = await runOn(
    serverUrl(),
    `select ${settings.map((name) => `current_setting('${name}') as ${name}`).join(", ")}`,
  );
  const [version] = await runOn(serverUrl(), "select current_setting('server_version') as version");
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${arch()}`,
    versions: `Node ${process.versions.node}, PostgreSQL ${String(version?.version).split(" ")[0]}, TypeORM ${versionOf("typeorm")}, pg ${versionOf("pg")}`,
    settings: settings.map((name) => `${name} ${String(row?.[name])}`).join(", "),
  };
}

/** From the package's own package.json, which not every package lets be imported. */
function versionOf(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  for (;;) {
    try {
      const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (found.name === name) return String(found.version);
    } catch {
      // no package.json in this folder
    }
    if (folder === dirname(folder)) return "?";
    folder = dirname(folder);
  }
}
