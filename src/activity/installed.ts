import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";

/** The same promise, with NOT_INSTALLED where the table is not there. */
export async function installedOnly<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isNotInstalled(error))
      throw new EventLogError("NOT_INSTALLED", "The activity log is not installed.", { cause: error });
    throw error;
  }
}

/** A table, schema or function that does not exist. */
export function isNotInstalled(error: unknown): boolean {
  return ["42P01", "3F000", "42883"].includes(stateOf(error) ?? "");
}
