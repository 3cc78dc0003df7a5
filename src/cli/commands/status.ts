import type { LogHolder } from "../../index.js";
import { tableOf } from "../output.js";
import type { Register } from "../run.js";

function holdersTable(holders: readonly LogHolder[]): string {
  return tableOf(
    ["pid", "role", "application", "state", "since", "what"],
    holders.map(({ pid, user, applicationName, state, since, what }) =>
      [pid, user, applicationName, state, since?.toISOString(), what.join(", ")].map((cell) => cell ?? undefined),
    ),
  );
}

export const status: Register = (program, action) => {
  program
    .command("status")
    .description("What is installed, missing or stale. Exit code 1 when something is.")
    .action(
      action(async ({ log, out }) => {
        const found = await log.status();
        out.result(found, () => [
          found.installed ? `Installed in schema ${found.schema}, step ${found.step}.` : "Not installed.",
          `Capture by ${found.capture}; last position ${found.position}${found.estimatedEvents > 0 ? `; about ${found.estimatedEvents} events` : ""}.`,
          tableOf(
            ["entity", "table"],
            found.tables.map(({ entity, tableName }) => [entity, tableName]),
          ),
          ...(found.holders.length === 0 ? [] : ["Others wait for:", holdersTable(found.holders)]),
          ...found.findings.map(({ code, message }) => `${code}: ${message}`),
          ...found.advice.map((sentence) => `Advice: ${sentence}`),
        ]);
        return found.findings.length > 0 ? "found" : undefined;
      }),
    );
};
