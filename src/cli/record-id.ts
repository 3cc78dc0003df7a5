import type { RecordId } from "../index.js";
import { UsageError } from "./usage-error.js";

/** A record's key as it is written at the command line: its one value, or JSON with the columns of a composite key. */
export function recordIdOf(text: string): RecordId {
  if (!text.startsWith("{")) return text;
  try {
    return JSON.parse(text) as RecordId;
  } catch (cause) {
    throw new UsageError(`The record ${text} is no JSON. Write it like '{"order_id": 1, "line": 2}'.`, { cause });
  }
}
