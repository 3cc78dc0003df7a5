import type { Logger } from "typeorm";

/** A logger of a DataSource that keeps warnings. */
export function loggerInto(warnings: string[]): Logger {
  const ignore = () => undefined;
  return {
    logQuery: ignore,
    logQueryError: ignore,
    logQuerySlow: ignore,
    logSchemaBuild: ignore,
    logMigration: ignore,
    log: (level, message: unknown) => void (level === "warn" && warnings.push(String(message))),
  };
}
