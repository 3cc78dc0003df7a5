import { AssertionError } from "node:assert";
import type { DataSource } from "typeorm";
import { eventLog, type VerifyReport } from "../index.js";

/**
 * Throws an AssertionError, with the first differences, where the tables are not what the log says: for the end of a test, to know
 * that all it wrote was recorded and that overrides and upcasters bring it back. Writes nothing.
 */
export async function assertReplayEqualsLive(dataSource: DataSource): Promise<void> {
  const report = await eventLog(dataSource).verify();
  if (report.equal) return;
  throw new AssertionError({
    message: messageOf(report),
    actual: report.differences,
    expected: [],
    operator: "assertReplayEqualsLive",
  });
}

const listed = 10;

function messageOf({ counts, differences }: VerifyReport): string {
  const total = counts.missing + counts.unexpected + counts.different;
  const lines = differences.slice(0, listed).map(({ entity, recordId, kind, columns }) => {
    const key = Object.entries(recordId).map(([name, value]) => `${name} ${String(value)}`);
    return `  ${entity} ${key.join(", ")}: ${words[kind]}${columns.length > 0 ? ` in ${columns.join(", ")}` : ""}`;
  });
  if (total > lines.length) lines.push(`  … and ${total - lines.length} more`);
  return `The tables are not what the log says, ${total} ${total === 1 ? "row differs" : "rows differ"}:\n${lines.join("\n")}`;
}

const words = {
  missing: "in the log, not in the table",
  unexpected: "in the table, not in the log",
  different: "different",
  erased: "erased",
} as const;
