import { parseArgs } from "node:util";

export const parts = ["messages", "replay", "capture", "peers", "partitions", "migrations", "activity"] as const;
export type Part = (typeof parts)[number];

export interface BenchOptions {
  /** The parts to run, in this order: replay before capture, while the process is small. (Default: all) */
  readonly only: readonly Part[];
  /** Interleaved rounds in each part. (Default: 10 in capture, 5 in peers, 3 in replay and partitions, 1 in replay from a million events on) */
  readonly rounds: number | undefined;
  /** Events in the history that is replayed, or divided; rows of the table that is migrated. (Default: 100 000) */
  readonly events: number;
  /** Entries of the activity log that is exported. (Default: 100 000) */
  readonly entries: number;
  /** How long a round trip to the server takes in capture and peers, in milliseconds, by a proxy; 0 for none. (Default: 0) */
  readonly network: number;
  /** One JSON document in place of tables. (Default: false) */
  readonly json: boolean;
}

/** `--only activity|capture|messages|migrations|partitions|peers|replay --rounds N --events N --entries N --network MS --json`; throws an Error that says what is wrong. */
export function optionsOf(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true },
      rounds: { type: "string" },
      events: { type: "string", default: "100000" },
      entries: { type: "string", default: "100000" },
      network: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const only = values.only ?? [];
  const wrong = only.find((name) => !parts.includes(name as Part));
  if (wrong !== undefined) throw new Error(`--only takes ${parts.join(", ")}, got: ${wrong}`);
  return {
    only: parts.filter((part) => only.length === 0 || only.includes(part)),
    rounds: values.rounds === undefined ? undefined : count("--rounds", values.rounds),
    events: count("--events", values.events),
    entries: count("--entries", values.entries),
    network: values.network === undefined ? 0 : count("--network", values.network),
    json: values.json,
  };
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${option} takes a positive integer, got: ${text}`);
  return number;
}
