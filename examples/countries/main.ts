import "reflect-metadata";
import { EventLogError } from "../../src/index.js";
import { createDatabase, NoDatabase } from "./database.js";
import { jsonReport } from "./report/json-report.js";
import { textReport } from "./report/text-report.js";
import { tellStory } from "./story.js";

const usage = `Usage: npm start [-- --json | --help]

An application with 250 countries, tracked by typeorm-chronicle: it is written to in every common way, replayed to the
middle and to the end, spoiled and mended. Each step is proved by plain SQL.

  --json   one JSON document with the same facts
  --help   this text

Works in a database of its own, chronicle_countries, on the server of DATABASE_URL, which npm start sets where it is
missing. Exit code 0: everything came back equal; 1: something did not, or an error; 2: not understood.`;

async function main(args: readonly string[]): Promise<number> {
  const known = ["--json", "--help"];
  const unknown = args.find((arg) => !known.includes(arg));
  if (unknown !== undefined) return refuse(`Unknown argument ${unknown}: there are only ${known.join(" and ")}.`);
  if (args.includes("--help")) return print(usage);
  const { DATABASE_URL: serverUrl } = process.env;
  if (!serverUrl)
    return refuse("DATABASE_URL is not set: run the demo with npm start, which starts a PostgreSQL for it.");

  const report = args.includes("--json") ? jsonReport(print) : textReport(process.stdout);
  const differences = await tellStory(await createDatabase(serverUrl), report);
  report.end();
  return differences.length === 0 ? 0 : 1;
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
