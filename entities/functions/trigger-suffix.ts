import { createHash } from "node:crypto";

/**
 * What ends the names of the capture triggers of a log that is not in the schema "chronicle": two logs may be on one table.
 * `s` is the log's schema, quoted.
 */
export function triggerSuffix(s: string): string {
  return s === '"chronicle"' ? "" : ` ${createHash("sha256").update(s).digest("hex").slice(0, 8)}`;
}
