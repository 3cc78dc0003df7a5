import type { Command } from "commander";
import type { DataSource } from "typeorm";
import { type EventLog, eventLog, EventLogError, type EventLogErrorCode } from "../index.js";
import { loadDataSource } from "./load-data-source.js";
import { jsonOf } from "./json-of.js";
import { Output } from "./output.js";
import { printableLines } from "./printable.js";
import { ProgressLine } from "./progress-line.js";
import { UsageError } from "./usage-error.js";

/** What a command works with. */
export interface Tools {
  readonly log: EventLog;
  readonly dataSource: DataSource;
  readonly out: Output;
  readonly progress: ProgressLine;
  /** Given by Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/** What a command does; "found" where a check found something, which is exit code 1. */
export type Work<Given extends unknown[]> = (tools: Tools, ...given: Given) => Promise<"found" | void>;

/** Makes a command's action of its work: opens the DataSource around it, tells errors, and sets the exit code. */
export type Action = <Given extends unknown[]>(work: Work<Given>) => (...given: Given) => Promise<void>;

/** Puts a command, or several, into the program. */
export type Register = (program: Command, action: Action) => void;

interface GlobalOptions {
  readonly dataSource?: string;
  readonly json?: boolean;
}

export function actionOf(program: Command): Action {
  return (work) =>
    async (...given) => {
      const { dataSource: file, json = false } = program.opts<GlobalOptions>();
      const interrupted = new Interruption();
      try {
        const found = await withTools(file, json, interrupted.signal, (tools) => work(tools, ...given));
        if (found === "found") process.exitCode = 1;
      } catch (error) {
        tell(error, json);
        process.exitCode = isUsage(error) ? 2 : 1;
      }
      process.exitCode = interrupted.exitCode ?? process.exitCode ?? 0;
      interrupted.end();
    };
}

async function withTools<T>(
  file: string | undefined,
  json: boolean,
  signal: AbortSignal,
  work: (tools: Tools) => Promise<T>,
): Promise<T> {
  if (file === undefined) throw new UsageError("Which DataSource? Pass its compiled module: -d dist/ormconfig.js");
  const dataSource = await loadDataSource(file);
  const progress = new ProgressLine(json);
  try {
    const log = eventLog(dataSource);
    if (!dataSource.isInitialized) await dataSource.initialize();
    return await work({ log, dataSource, out: new Output(json), progress, signal });
  } finally {
    progress.end();
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}

const usageCodes: readonly EventLogErrorCode[] = [
  "OPTIONS_INVALID",
  "NOT_ATTACHED",
  "NOT_TRACKED",
  "POINT_IN_TIME_UNKNOWN",
  "POINT_IN_TIME_AMBIGUOUS",
];

function isUsage(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof EventLogError && usageCodes.includes(error.code));
}

/** Code and sentence, no stack; what others put into the sentence is no command to a terminal. */
export function tell(error: unknown, json: boolean): void {
  const { code, message } = errorOf(error);
  const text = json ? jsonOf({ error: { code, message } }) : `${code === null ? "" : `${code}: `}${message}`;
  process.stderr.write(`${printableLines(text)}\n`);
}

function errorOf(error: unknown): { code: string | null; message: string } {
  if (error instanceof UsageError) return { code: null, message: error.message };
  const { code, message, errors } = error as { code?: unknown; message?: unknown; errors?: unknown };
  // Node tries every address of a host, and its error for all of them says nothing.
  const [first] = Array.isArray(errors) ? (errors as unknown[]) : [];
  const text = [message, (first as Error | undefined)?.message].find(
    (candidate) => typeof candidate === "string" && candidate !== "",
  );
  return { code: typeof code === "string" ? code : null, message: typeof text === "string" ? text : String(error) };
}

/** Ctrl-C and a request to end abort the work that is going on; the same again ends the process. */
class Interruption {
  readonly #controller = new AbortController();
  readonly #handlers = (
    [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const
  ).map(([name, exitCode]) => {
    const handler = () => {
      this.exitCode = exitCode;
      this.#controller.abort();
    };
    process.once(name, handler);
    return { name, handler };
  });
  exitCode: number | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    for (const { name, handler } of this.#handlers) process.off(name, handler);
  }
}
