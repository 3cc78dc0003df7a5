import type { ReconcileReport } from "../../index.js";
import { isWanted, refuseWithoutTerminal } from "../confirm.js";
import { counted } from "../output.js";
import type { Register } from "../run.js";

interface Options {
  readonly entity?: readonly string[];
  readonly column?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export const reconcile: Register = (program, action) => {
  program
    .command("reconcile")
    .description("Record what the tables have and the log does not: the tables are right. Asks first.")
    .option("--entity <names...>", "only these entities, by tracked name")
    .option("--column <names...>", "only these columns of records that are on both sides")
    .option("--dry-run", "count what would be recorded, and write nothing")
    .option("--yes", "do not ask")
    .action(
      action(
        async ({ log, out, signal }, { entity: entities, column: columns, dryRun = false, yes = false }: Options) => {
          const options = { entities, columns, signal };
          if (!dryRun && !yes) {
            refuseWithoutTerminal("It changes the log for good");
            const would = await log.reconcile({ ...options, dryRun: true });
            if (!(await isWanted(`${summaryOf(would, "would be")}\nRecord them?`))) return;
          }
          const report = await log.reconcile({
            ...options,
            dryRun,
            onProgress: ({ entity, done, total, events }) => {
              if (!out.json)
                process.stderr.write(
                  `${entity}: ${done} of ${counted(total, "record")} that differ, ${counted(events, "event")}\n`,
                );
            },
          });
          out.result(report, () => summaryOf(report, dryRun ? "would be" : "were"));
        },
      ),
    );
};

function summaryOf({ created, updated, destroyed }: ReconcileReport, verb: string): string {
  const total = counted(created + updated + destroyed, "record");
  return `${total} ${verb} recorded: ${created} created, ${updated} updated, ${destroyed} destroyed.`;
}
