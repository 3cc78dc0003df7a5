import { Option } from "commander";
import type { ReplayOptions, ReplayReport } from "../../index.js";
import { isWanted, refuseWithoutTerminal } from "../confirm.js";
import { counted, tableOf } from "../output.js";
import { pointHelp, pointOf } from "../point.js";
import type { Register } from "../run.js";

interface Options {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly unknownRows?: "refuse" | "keep" | "delete";
}

export const replay: Register = (program, action) => {
  program
    .command("replay")
    .description("Make the tables what the log says, to its end or at a point in time. Asks first.")
    .option("--to <point>", "the point in time (default: the log's end)")
    .option("--dry-run", "find out what would be done, and write nothing")
    .option("--yes", "do not ask")
    .addOption(
      new Option("--unknown-rows <what>", "live rows that the log does not know").choices(["refuse", "keep", "delete"]),
    )
    .addHelpText("after", `\n${pointHelp}`)
    .action(
      action(async ({ log, out, progress, signal }, { to, dryRun = false, yes = false, unknownRows }: Options) => {
        const point = to === undefined ? undefined : pointOf(to);
        const options: ReplayOptions = { unknownRows, signal, onProgress: progress.step };
        if (!dryRun && !yes) {
          refuseWithoutTerminal("A replay changes live tables");
          const would = await log.replay(point, { ...options, dryRun: true });
          progress.end();
          if (!(await isWanted(`${summaryOf(would, true)}\nReplay to ${to ?? "the log's end"}?`))) return;
        }
        const report = await log.replay(point, { ...options, dryRun });
        progress.end();
        out.result(report, () => [...(dryRun ? [planTable(report)] : []), summaryOf(report, dryRun)]);
      }),
    );
};

function summaryOf({ rows, events, effectivePosition, recorded, drift }: ReplayReport, dryRun: boolean): string {
  const what = `${counted(rows.inserted, "row")} inserted, ${rows.updated} updated, ${rows.deleted} deleted, ${rows.kept} kept`;
  return [
    `${counted(events, "event")} up to position ${effectivePosition}: ${what}${dryRun ? " if it were run now" : ""}.`,
    ...(drift > 0 ? [`${counted(drift, "row")} had drifted from the log.`] : []),
    ...(recorded > 0 ? [`${counted(recorded, "event")} recorded for the way back.`] : []),
  ].join("\n");
}

function planTable({ plan }: Pick<ReplayReport, "plan">): string {
  return tableOf(
    ["entity", "action", "version", "events", "handler"],
    plan.map(({ entity, action, actionName, version, events, handler }) => [
      entity,
      actionName === null ? action : `${action} (${actionName})`,
      version,
      events,
      handler,
    ]),
  );
}
