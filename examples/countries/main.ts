import "reflect-metadata";
import { EventLogError } from "../../src/index.js";
import { createDatabase, NoDatabase } from "./database.js";
import { jsonReport } from "./report/json-report.js";
import { textReport } from "./report/text-report.js";
import { tellStory } from "./story.js";

const usage = `Usage: npm start [-- --json | --capture trigger|subscriber | --help]

An application with 250 countries, tracked by typeorm-chronicle: it is written to in every common way, replayed to the
middle and to the end, spoiled and mended. Each step is proved by plain SQL.

  --json      one JSON document with the same facts
  --capture   who records: triggers, which see every write (the default), or the entity subscriber, which sees
              what TypeORM's hooks show and reports the rest
  --help      this text

Works in a database of its own, chronicle_countries, on the server of DATABASE_URL, which npm start sets where it is
missing. Exit code 0: everything came back equal; 1: something did not, or an error; 2: not understood.`;

async function main(args: readonly string[]): Promise<number> {
  const { capture = "trigger", rest } = captureOf(args);
  if (capture !== "trigger" && capture !== "subscriber")
    return refuse(`--capture takes trigger or subscriber, got: ${capture || "nothing"}.`);
  const known = ["--json", "--help"];
  const unknown = rest.find((arg) => !known.includes(arg));
  if (unknown !== undefined)
    return refuse(`Unknown argument ${unknown}: there are only ${["--capture", ...known].join(", ")}.`);
  if (args.includes("--help")) return print(usage);
  const { DATABASE_URL: serverUrl } = process.env;
  if (!serverUrl)
    return refuse("DATABASE_URL is not set: run the demo with npm start, which starts a PostgreSQL for it.");

  const report = args.includes("--json") ? jsonReport(print) : textReport(process.stdout);
  const differences = await tellStory(await createDatabase(serverUrl), capture, report);
  report.end();
  return differences.length === 0 ? 0 : 1;
}

/** What follows --capture, or stands behind its equals sign, and the other arguments. */
function captureOf(args: readonly string[]): { capture?: string; rest: readonly string[] } {
  const at = args.findIndex((arg) => arg === "--capture" || arg.startsWith("--capture="));
  const found = args[at];
  if (found === undefined) return { rest: args };
  const isApart = found === "--capture";
  const capture = isApart ? (args[at + 1] ?? "") : found.slice("--capture=".length);
  return { capture, rest: [...args.slice(0, at), ...args.slice(at + (isApart ? 2 : 1))] };
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function refuse(sentence: string): number {
  console.error(sentence);
  return 2;
}

/** The library's errors say themselves what happened and the way out; a stack would only hide it. */
function tell(error: unknown): void {
  if (error instanceof EventLogError) console.error(`${error.code}: ${error.message}`);
  else if (error instanceof NoDatabase) console.error(error.message);
  else console.error(error);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    tell(error);
    process.exitCode = 1;
  },
);
