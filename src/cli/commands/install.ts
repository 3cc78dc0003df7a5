import type { InstallOptions } from "../../index.js";
import type { Register } from "../run.js";

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
      action(async ({ log, out }, options: InstallOptions) => {
        const report = await log.install(options);
        out.result(report, () => [
          report.changed ? `The log is installed, step ${report.step}.` : "Nothing to do: the log is up to date.",
          `Tracked tables: ${report.tables.join(", ") || "none"}`,
        ]);
      }),
    );
};
