import { attempt, described } from "./attempt.js";
import type { Complaints } from "./complaints.js";
import { type Release } from "./release.js";

/** Log and tables are equal, by the log's own word. */
export async function proveEqual({ log }: Pick<Release, "log">, complaints: Complaints, when: string): Promise<void> {
  const verified = await attempt(() => log.verify());
  if (verified.failed) return complaints.addToAll(`${when} gave ${described(verified)}`);
  const { equal, differences } = verified.value;
  for (const { entity, recordId, kind, columns } of differences)
    complaints.add(entity, `${when}: ${JSON.stringify(recordId)} is ${kind} ${columns.join(", ")}`.trim());
  if (!equal && differences.length === 0) complaints.addToAll(`${when} is not equal`);
}
