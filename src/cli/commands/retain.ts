import { counted } from "../output.js";
import type { Register } from "../run.js";
import { UsageError } from "../usage-error.js";

interface Options {
  readonly since: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export const retain: Register = (program, action) => {
  program
    .command("retain")
    .description("Drop partitions whose events are all older, behind a baseline that stands for them.")
    .requiredOption("--since <time>", "what is kept, ISO 8601 with an offset")
    .option("--dry-run", "find out what would go, and change nothing")
    .option("--yes", "needed to drop: what goes cannot be brought back")
    .action(
      action(async ({ log, out, signal }, { since, dryRun = false, yes = false }: Options) => {
        if (!dryRun && !yes) throw new UsageError("What is dropped is gone: pass --yes, or look first with --dry-run.");
        const report = await log.retain({ since, dryRun, signal });
        out.result(report, () => {
          const { dropped, events, records } = report;
          if (dropped.length === 0) return "No partition is old enough.";
          const what = `${dropped.join(", ")} with ${counted(events, "event")}; ${counted(records, "record")} of it live on as a baseline`;
          return `${dryRun ? "Would drop" : "Dropped"} ${what}.`;
        });
      }),
    );
};
