import { tableOf } from "../output.js";
import type { Register } from "../run.js";

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
          ...found.findings.map(({ code, message }) => `${code}: ${message}`),
          ...found.advice.map((sentence) => `Advice: ${sentence}`),
        ]);
        return found.findings.length > 0 ? "found" : undefined;
      }),
    );
};
