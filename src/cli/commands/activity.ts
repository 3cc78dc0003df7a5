import { type Command, InvalidArgumentError, Option } from "commander";
import type { ActivityCheck, ActivityFilter, ActivitySummary, Count, ExportFormat } from "../../index.js";
import { entryText } from "../entry-text.js";
import { counted, tableOf } from "../output.js";
import { printable, printableLines } from "../printable.js";
import type { Action, Register } from "../run.js";

interface FilterOptions {
  readonly action?: string;
  readonly outcome?: string;
  readonly severity?: string;
  readonly category?: string;
  readonly strategy?: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly ip?: string;
  readonly tenant?: string;
  readonly correlationId?: string;
  readonly from?: string;
  readonly to?: string;
  readonly days?: number;
}

const dayMs = 86_400_000;

export const activity: Register = (program, action) => {
  const group = program.command("activity").description("What people did or tried: read it, export it, keep it up.");
  for (const register of [search, exported, cleanup, summary, stats, rotate, check]) register(group, action);
};

function search(group: Command, action: Action): void {
  filtered(group.command("search").description("Entries that match, newest first."))
    .option("--limit <count>", "at most so many", positive, 50)
    .action(
      action(async ({ log, out }, { limit, ...options }: FilterOptions & { limit: number }) => {
        await out.stream(log.activity.search({ ...filterOf(options), limit }), entryText);
      }),
    );
}

function exported(group: Command, action: Action): void {
  filtered(group.command("export").description("All entries that match, to a file or to stdout."))
    .addOption(
      new Option("--format <format>", "by default that of the file's name, else jsonl").choices([
        "jsonl",
        "json",
        "csv",
      ]),
    )
    .option("--output <file>", "the file (default: stdout)")
    .action(
      action(
        async (
          { log, out, progress, signal },
          { format, output, ...options }: FilterOptions & { format?: ExportFormat; output?: string },
        ) => {
          const { activity: entries } = log;
          const filter = filterOf(options);
          if (output === undefined) {
            // pipeline() would end stdout, which the process needs to its end.
            const { PassThrough } = await import("node:stream");
            const through = new PassThrough();
            through.setEncoding("utf8");
            const shown = format === "csv" ? String : printableLines; // cells are spelled out already
            through.on("data", (chunk: string) => void (process.stdout.write(shown(chunk)) || wait(through)));
            await entries.export(through, { ...filter, format, signal });
            return;
          }
          // Read newest first, an export goes back in time: how far is known only in the end.
          const onProgress = ({ done }: { done: number }) =>
            progress.step({ step: "entries", done, total: Math.max(done, 1) });
          const report = await entries.export(output, { ...filter, format, signal, onProgress });
          progress.end();
          out.result(
            { file: output, ...report },
            () => `${report.entries} ${report.entries === 1 ? "entry" : "entries"} written to ${output}.`,
          );
        },
      ),
    );
}

function wait(through: { pause(): unknown; resume(): unknown }): void {
  through.pause();
  process.stdout.once("drain", () => through.resume());
}

function cleanup(group: Command, action: Action): void {
  group
    .command("cleanup")
    .description("Delete entries older than some days, in small batches.")
    .requiredOption("--days <days>", "older than so many days", positive)
    .option("--dry-run", "count, and delete nothing")
    .action(
      action(async ({ log, out, progress, signal }, { days, dryRun = false }: { days: number; dryRun?: boolean }) => {
        const onProgress = (at: { done: number; total: number }) => progress.step({ step: "deleted", ...at });
        const report = await log.activity.cleanup({ olderThanDays: days, dryRun, onProgress, signal });
        progress.end();
        const counted = (count: number) => `${count} ${count === 1 ? "entry" : "entries"}`;
        const deleted = `${counted(report.entries)} from before ${report.before.toISOString()} ${dryRun ? "would be deleted" : "deleted"}.`;
        const kept =
          report.kept === 0 ? "" : ` Kept: ${counted(report.kept)} as old, which only the log's owner may delete.`;
        out.result(report, () => deleted + kept);
      }),
    );
}

function summary(group: Command, action: Action): void {
  group
    .command("summary")
    .description("Counts of the last hours, and who and what stands out.")
    .option("--hours <hours>", "so many", positive, 24)
    .action(
      action(async ({ log, out }, { hours }: { hours: number }) => {
        const found = await log.activity.summary({ hours });
        out.result(found, () => summaryText(found));
      }),
    );
}

function summaryText(found: ActivitySummary): string[] {
  const part = (title: string, counts: readonly Count[]) =>
    counts.length === 0
      ? []
      : [
          tableOf(
            [title, "entries"],
            counts.map(({ name, count }) => [name, count]),
          ),
        ];
  return [
    `${found.total} entries from ${found.from.toISOString()} to ${found.to.toISOString()}.`,
    ...part("action", found.byAction),
    ...part("outcome", found.byOutcome),
    ...part("severity", found.bySeverity),
    ...part("actor", found.topActors),
    ...part("address", found.topAddresses),
    ...part("failed action", found.topFailures),
  ];
}

function stats(group: Command, action: Action): void {
  group
    .command("stats")
    .description("The state of the activity log.")
    .action(
      action(async ({ log, out }) => {
        const found = await log.activity.stats();
        out.result(found, () =>
          tableOf(
            ["what", "value"],
            [
              ["rows", found.rows],
              ["bytes", found.bytes],
              ["oldest", found.oldest?.toISOString() ?? "-"],
              ["newest", found.newest?.toISOString() ?? "-"],
              ["today", found.today],
              ["files", found.files.join(", ") || "-"],
              ["queued, in this process", found.queued],
              ["dropped, in this process", found.dropped],
              ["last flush", found.lastFlush?.toISOString() ?? "-"],
              ["last error", found.lastError ?? "-"],
            ],
          ),
        );
      }),
    );
}

function rotate(group: Command, action: Action): void {
  group
    .command("rotate")
    .description("Begin new files, where the activity log goes to files.")
    .action(
      action(async ({ log, out }) => {
        await log.activity.rotate();
        const { files } = await log.activity.stats();
        out.result({ files }, () => (files.length === 0 ? "There are no files." : files.map(printable)));
      }),
    );
}

function check(group: Command, action: Action): void {
  group
    .command("check")
    .description("What is recorded and how, and what is wrong with it. Exit code 1 when something is.")
    .option("--verbose", "all settings too")
    .action(
      action(async ({ log, out }, { verbose = false }: { verbose?: boolean }) => {
        const found = await log.activity.check();
        out.result(found, () => [
          ...(verbose ? [settingsText(found)] : []),
          ...found.findings.map(printable),
          found.findings.length === 0 ? "Nothing is wrong." : counted(found.findings.length, "finding"),
        ]);
        return found.findings.length > 0 ? "found" : undefined;
      }),
    );
}

function settingsText({ findings, thresholds, ...rest }: ActivityCheck): string {
  const settings = { ...rest, findings: findings.length };
  const value = (given: unknown) => {
    if (given === null) return "-";
    if (given instanceof Date) return given.toISOString();
    return Array.isArray(given) ? given.join(", ") || "-" : `${given as string}`;
  };
  return tableOf(
    ["setting", "value"],
    [
      ...Object.entries(settings).map(([name, given]) => [name, value(given)]),
      ...thresholds.map(({ name, threshold, windowSeconds }) => [name, `${threshold} in ${windowSeconds} s`]),
    ],
  );
}

function filtered(command: Command): Command {
  return command
    .option("--action <name>", "this action; * stands for anything")
    .option("--outcome <outcome>", "success, failure, denied, error or unknown")
    .option("--severity <severity>", "debug, info, warning, error or critical")
    .option("--category <name>", "this category")
    .option("--strategy <name>", "this strategy")
    .option("--subject <name>", "about this subject")
    .option("--actor <type[:id]>", "by this actor, such as user:42")
    .option("--ip <address>", "from this address")
    .option("--tenant <name>", "of this tenant")
    .option("--correlation-id <id>", "of this request")
    .option("--from <time>", "from then on, ISO 8601 with an offset")
    .option("--to <time>", "until then")
    .option("--days <days>", "of the last days", positive);
}

function filterOf({ actor, days, from, ...options }: FilterOptions): ActivityFilter {
  const [type = "", ...id] = actor?.split(":") ?? [];
  return {
    ...(options as ActivityFilter), // words that are no outcome or severity are refused by the log
    actor: actor === undefined ? undefined : { type, ...(id.length > 0 && { id: id.join(":") }) },
    from: from ?? (days === undefined ? undefined : new Date(Date.now() - days * dayMs)),
  };
}

function positive(text: string): number {
  const number = Number(text);
  if (/^\d{1,9}(?:\.\d+)?$/.test(text) && number > 0) return number;
  throw new InvalidArgumentError("It is no positive number.");
}
