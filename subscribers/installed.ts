import type { DataSource } from "typeorm";

/**
 * For so long a process takes for granted that tables have the capture they had. Transactions are confirmed one by one
 * at their commit; so long can a table that took the place of another one go unnoticed by writes outside of one.
 */
const takenForGrantedMs = 5_000;

/** When the log of a DataSource was found installed, and at least as new as the code. A negative answer is not kept. */
const installed = new WeakMap<DataSource, number>();

export function wasInstalled(dataSource: DataSource): boolean {
  return installed.has(dataSource);
}

export function isInstalled(dataSource: DataSource): boolean {
  return performance.now() - (installed.get(dataSource) ?? -Infinity) < takenForGrantedMs;
}

export function rememberInstalled(dataSource: DataSource): void {
  installed.set(dataSource, performance.now());
}

export function forgetInstalled(dataSource: DataSource): void {
  installed.delete(dataSource);
}
