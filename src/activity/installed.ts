import { EventLogError } from "../core/errors.js";
import { isMissing } from "../core/rights.js";

/** The same promise, with NOT_INSTALLED where the table is not there. */
export async function installedOnly<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error))
      throw new EventLogError("NOT_INSTALLED", "The activity log is not installed.", { cause: error });
    throw error;
  }
}
