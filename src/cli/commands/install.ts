import type { InstallOptions } from "../../index.js";
import { counted } from "../output.js";
import type { Register } from "../run.js";
import { textOf } from "./schema.js";

export const install: Register = (program, action) => {
  program
    .command("install")
    .description("Set up the log and capture, or bring them up to date. Does nothing when they are.")
    .option(
      "--grant-to <roles...>",
      "roles of the application: may write tracked tables, may not read or write the log",
    )
    .option("--grant-read-to <roles...>", "roles that may read events, but no sensitive columns")
    .action(
      action(async ({ log, out, signal }, options: InstallOptions) => {
        const report = await log.install({
          ...options,
          signal,
          onProgress: ({ entity, done, total, events }) => {
            if (!out.json)
              process.stderr.write(
                `${entity}: ${done} of ${counted(total, "record")} that differ, ${counted(events, "event")}\n`,
              );
          },
        });
        out.result(report, () => [
          report.changed ? `The log is installed, step ${report.step}.` : "Nothing to do: the log is up to date.",
          `Tracked tables: ${report.tables.join(", ") || "none"}`,
          ...report.schemaChanges.map(
            (change) => `${change.entity} changed: ${textOf(change)} (${counted(change.recordedRows, "row")} recorded)`,
          ),
        ]);
      }),
    );
};
