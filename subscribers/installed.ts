import type { DataSource } from "typeorm";

/**
 * For so long a process takes for granted that tables have the capture they had. Transactions are confirmed one by one
 * at their commit; so long can a table that took the place of another one go unnoticed by writes outside of one.
 */
const takenForGrantedMs = 5_000;

/** The oids of the tracked tables, by their names in SQL. */
type TableOids = ReadonlyMap<string, string>;

/** When the log of a DataSource was found installed, and at least as new as the code. A negative answer is not kept. */
const installed = new WeakMap<DataSource, { readonly at: number; readonly oids: TableOids }>();

/** The tables that had capture when the log was found installed, or undefined. */
export function installedTables(dataSource: DataSource): TableOids | undefined {
  return installed.get(dataSource)?.oids;
}

export function isInstalled(dataSource: DataSource): boolean {
  return performance.now() - (installed.get(dataSource)?.at ?? -Infinity) < takenForGrantedMs;
}

export function rememberInstalled(dataSource: DataSource, oids: TableOids): void {
  installed.set(dataSource, { at: performance.now(), oids });
}

export function forgetInstalled(dataSource: DataSource): void {
  installed.delete(dataSource);
}
