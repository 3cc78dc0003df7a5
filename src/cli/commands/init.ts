import { writeFile } from "node:fs/promises";
import type { ActivityOptions } from "../../index.js";
import type { Register } from "../run.js";
import { UsageError } from "../usage-error.js";

interface Options {
  readonly output: string;
  readonly includeFields?: readonly string[];
  readonly includeActions?: readonly string[];
  readonly excludeActions?: readonly string[];
  readonly includeStrategies?: readonly string[];
  readonly excludeStrategies?: readonly string[];
}

/** Needs no DataSource: it comes before there is one with a log. */
export const init: Register = (program) => {
  program
    .command("init")
    .description("Write the log's options into a new file, and tell the next two steps.")
    .option("--output <file>", "the file", "chronicle.options.ts")
    .option("--include-fields <names>", "fields that are kept although they look sensitive", names)
    .option("--include-actions <names>", "record these actions alone; * stands for anything", names)
    .option("--exclude-actions <names>", "do not record these actions", names)
    .option("--include-strategies <names>", "record these strategies alone", names)
    .option("--exclude-strategies <names>", "do not record these strategies", names)
    .action(async ({ output, ...activity }: Options) => {
      const text = fileOf(activity);
      try {
        await writeFile(output, text, { flag: "wx" });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        throw new UsageError(`${output} is there already: remove it first, or name another file with --output.`);
      }
      const { json = false } = program.opts<{ json?: boolean }>();
      const module = output.replace(/\.[mc]?ts$/, (ending) => ending.replace("ts", "js"));
      const steps = [
        `In the file that makes your DataSource: new DataSource(withEventLog({ ... }, chronicleOptions)), with chronicleOptions from ./${module}`,
        "Once per deploy: chronicle -d dist/your-data-source.js install",
      ];
      if (json) process.stdout.write(`${JSON.stringify({ file: output, steps }, null, 2)}\n`);
      else
        process.stdout.write(
          `${output} is written. Next:\n${steps.map((step, index) => `${index + 1}. ${step}\n`).join("")}`,
        );
    });
};

function fileOf(activity: Pick<ActivityOptions, "includeFields">): string {
  const lines = Object.entries(activity).map(([name, value]) => `    ${name}: ${JSON.stringify(value)},\n`);
  return `import type { EventLogOptions } from "typeorm-chronicle";

/** The second argument of withEventLog; docs/options.md lists all there is. */
export const chronicleOptions: EventLogOptions = {
  activity: {
    retentionDays: 90,
${lines.join("")}  },
};
`;
}

function names(text: string): string[] {
  const found = text.split(",").map((name) => name.trim());
  if (found.some((name) => name === "")) throw new UsageError(`Names are separated by commas, got: ${text}`);
  return found;
}
