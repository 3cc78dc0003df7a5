import type pg from "pg";
import type { DataSource } from "typeorm";
import { type Capture, type EventLog, eventLog } from "../../../src/index.js";
import { releaseTwo } from "../data-sources.js";
import { plainClient } from "../proof.js";
import type { Report } from "../report/report.js";

/** What the chapters of release 2 work with. */
export interface Stage {
  readonly dataSource: DataSource;
  readonly log: EventLog;
  readonly capture: Capture;
  /** A connection past the library, for proofs and for mischief. */
  readonly client: pg.Client;
  readonly report: Report;
  /** Keeps a sentence about something that should hold and does not. */
  readonly expect: (holds: boolean, otherwise: string) => void;
}

/** Opens the stage for `play` and closes it again. Returns what was expected in vain. */
export async function onStage(
  url: string,
  capture: Capture,
  report: Report,
  play: (stage: Stage) => Promise<void>,
): Promise<string[]> {
  const client = await plainClient(url);
  const dataSource = await releaseTwo(url, capture).initialize();
  const differences: string[] = [];
  const expect: Stage["expect"] = (holds, otherwise) => void (holds || differences.push(otherwise));
  try {
    await play({ dataSource, log: eventLog(dataSource), capture, client, report, expect });
  } finally {
    await dataSource.destroy();
    await client.end();
  }
  return differences;
}

/** How long `work` took, with what it returned. */
export async function timed<T>(work: () => Promise<T>): Promise<[result: T, durationMs: number]> {
  const started = performance.now();
  const result = await work();
  return [result, Math.round(performance.now() - started)];
}
