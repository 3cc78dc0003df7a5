import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { DataSource } from "typeorm";
import { UsageError } from "./usage-error.js";

/**
 * The DataSource that a module exports, by default or by any name; ES modules and CommonJS. It is opened without what would
 * change the database on the way: no synchronize, no migrations, no dropSchema; and silent, so that the answer stands alone.
 * Throws UsageError.
 */
export async function loadDataSource(file: string): Promise<DataSource> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no file ${path}. Pass the compiled module with -d.`);
  const exported = await exportsOf(path);
  const [dataSource, another] = new Set(exported.filter(isDataSource));
  if (dataSource === undefined) {
    throw new UsageError(
      `${path} exports no DataSource. Export one: export const dataSource = new DataSource(withEventLog({ ... })).`,
    );
  }
  if (another !== undefined) {
    throw new UsageError(`${path} exports several DataSources. Export the one that is meant from a file of its own.`);
  }
  return dataSource.setOptions({ synchronize: false, migrationsRun: false, dropSchema: false, logging: [] });
}

async function exportsOf(path: string): Promise<unknown[]> {
  try {
    const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    // Of CommonJS, what is exported is the default export's own.
    const inner: unknown = loaded["default"];
    const values = [
      ...Object.values(loaded),
      ...(typeof inner === "object" && inner !== null && !isDataSource(inner) ? Object.values(inner) : []),
    ];
    return await Promise.all(values);
  } catch (cause) {
    const { message = String(cause) } = cause as Partial<Error>;
    throw new UsageError(`${path} cannot be loaded: ${message}`, { cause });
  }
}

/** As TypeORM tells its own, so that another copy of it is recognised. */
function isDataSource(value: unknown): value is DataSource {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as Record<string, unknown>)["@instanceof"] === Symbol.for("DataSource")
  );
}
