import { counted } from "../output.js";
import type { Register } from "../run.js";

interface Options {
  readonly entity?: readonly string[];
}

export const baseline: Register = (program, action) => {
  program
    .command("baseline")
    .description("Record every row that the log does not know yet. Goes on where it stopped.")
    .option("--entity <names...>", "only these entities, by tracked name")
    .action(
      action(async ({ log, out, signal }, { entity }: Options) => {
        const report = await log.baseline({
          entities: entity,
          signal,
          onProgress: ({ entity: name, rows }) => {
            if (!out.json) process.stderr.write(`${counted(rows, "row")}, at ${name}\n`);
          },
        });
        out.result(report, () => `Recorded ${counted(report.rows, "row")}.`);
      }),
    );
};
