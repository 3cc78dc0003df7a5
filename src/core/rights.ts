import type { DataSource } from "typeorm";
import { attachmentOf } from "./attachment.js";
import { isMissing, stateOf, withoutValues } from "./database-errors.js";
import { EventLogError, type EventLogErrorCode } from "./errors.js";

/** Work that reads events, with NOT_READER where this role may not, and NOT_INSTALLED where there is no log. */
export function asReader<T>(dataSource: DataSource, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw readingError(dataSource, error);
  });
}

/** Work on whole rows, sensitive columns among them, or on the log itself: NOT_OWNER where this role may not. */
export function asOwner<T>(dataSource: DataSource, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw named(dataSource, error, "NOT_OWNER", "do what this call needs");
  });
}

/** Work that adds to the activity log: NOT_WRITER where this role may not, and NOT_INSTALLED where there is none. */
export function asWriter<T>(dataSource: DataSource, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw named(dataSource, error, "NOT_WRITER", "write the activity log");
  });
}

export function readingError(dataSource: DataSource, error: unknown): unknown {
  return named(dataSource, error, "NOT_READER", "read the log");
}

/** A missing right, and a log that is not there, as the library names them; every other error as it is. Postgres names objects only. */
function named(dataSource: DataSource, error: unknown, code: EventLogErrorCode, what: string): unknown {
  if (!(error instanceof Error) || error instanceof EventLogError) return error;
  // One of TypeORM's carries the statement's parameters.
  const cause = withoutValues(error);
  if (stateOf(error) === "42501")
    return new EventLogError(code, `This role may not ${what}: ${error.message}.`, { cause });
  const { schema } = attachmentOf(dataSource).options;
  return isMissing(error) && error.message.includes(schema)
    ? new EventLogError("NOT_INSTALLED", `The event log is not installed in schema ${schema}.`, { cause })
    : error;
}
