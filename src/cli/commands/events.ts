import { InvalidArgumentError, Option } from "commander";
import { type EventFilter, type Origin, origins, type RecordedEvent } from "../../index.js";
import { eventCells } from "../event-text.js";
import { exportEvents } from "../export-events.js";
import { counted } from "../output.js";
import { pointHelp, pointOf } from "../point.js";
import { recordIdOf } from "../record-id.js";
import type { Register } from "../run.js";
import { UsageError } from "../usage-error.js";

interface Options {
  readonly entity?: string;
  readonly record?: string;
  readonly origin?: Origin;
  readonly actor?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly export?: string;
}

export const events: Register = (program, action) => {
  program
    .command("events")
    .description("Events by position, as they were stored.")
    .option("--entity <name>", "only of this entity, by tracked name")
    .option("--record <id>", "only of this record, with --entity; JSON for a composite key")
    .addOption(
      new Option("--origin <origin>", "only what was written by this: the application (capture) or the log").choices(
        origins,
      ),
    )
    .option("--actor <type[:id]>", "only by this actor, such as user:42")
    .option("--from <point>", "only after this point in time")
    .option("--to <point>", "only up to this point in time, inclusive")
    .option("--limit <count>", "at most so many", positiveInteger)
    .option("--export <file>", "write them to a file, .jsonl or .csv")
    .addHelpText("after", `\n${pointHelp}`)
    .action(
      action(async ({ log, out, signal }, options: Options) => {
        const found = untilAborted(log.events(filterOf(options)), signal);
        if (options.export === undefined) {
          await out.stream(found, (event) => eventCells(event).join("  "));
          signal.throwIfAborted();
          return;
        }
        const { export: file } = options;
        const count = await exportEvents(found, file, signal);
        out.result({ file, events: count }, () => `${counted(count, "event")} written to ${file}.`);
      }),
    );
};

function filterOf({ entity, record, origin, actor, from, to, limit }: Options): EventFilter {
  if (record !== undefined && entity === undefined) throw new UsageError("--record needs --entity.");
  const [type = "", ...id] = actor?.split(":") ?? [];
  return {
    entity,
    recordId: record === undefined ? undefined : recordIdOf(record),
    origin,
    actor: actor === undefined ? undefined : { type, id: id.length === 0 ? undefined : id.join(":") },
    from: from === undefined ? undefined : pointOf(from),
    to: to === undefined ? undefined : pointOf(to),
    limit,
  };
}

async function* untilAborted(all: AsyncIterable<RecordedEvent>, signal: AbortSignal): AsyncGenerator<RecordedEvent> {
  for await (const event of all) {
    if (signal.aborted) return;
    yield event;
  }
}

function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is no positive integer.");
}
