import { stringify } from "csv-stringify";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { extname } from "node:path";
import { Readable, Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RecordedEvent } from "../index.js";
import { jsonOf } from "./json-of.js";
import { UsageError } from "./usage-error.js";

/**
 * Writes events to a file by its ending: .jsonl, or .csv, where a cell that a spreadsheet would run as a formula starts
 * with an apostrophe. The file is there only when it is whole. Memory stays flat, for events
 * wait one by one. Throws UsageError for another ending.
 */
export async function exportEvents(
  events: AsyncIterable<RecordedEvent>,
  file: string,
  signal: AbortSignal,
): Promise<number> {
  const steps = stepsOf(file);
  const partial = `${file}.partial`;
  let count = 0;
  const counting = new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(event: RecordedEvent, _encoding, done: TransformCallback) {
      count++;
      done(null, event);
    },
  });
  try {
    await pipeline(Readable.from(events, { highWaterMark: 1 }), counting, ...steps, createWriteStream(partial), {
      signal,
    });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return count;
}

function stepsOf(file: string): Transform[] {
  switch (extname(file).toLowerCase()) {
    case ".jsonl":
      return [mapped((event) => `${jsonOf(event)}\n`)];
    case ".csv":
      return [mapped(cellsOf), stringify({ header: true, columns: [...columns], escape_formulas: true })];
    default:
      throw new UsageError(`Expected the file of --export to end in .jsonl or .csv, got: ${file}`);
  }
}

function mapped(map: (event: RecordedEvent) => unknown): Transform {
  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(event: RecordedEvent, _encoding, done: TransformCallback) {
      done(null, map(event));
    },
  });
}

const columns = [
  "position",
  "occurredAt",
  "entity",
  "recordId",
  "action",
  "actionName",
  "origin",
  "version",
  "actorType",
  "actorId",
  "actorName",
  "tenant",
  "correlationId",
  "causationId",
  "signedBy",
  "transactionId",
  "metadata",
  "data",
  "previous",
  "tooLarge",
] as const;

function cellsOf(event: RecordedEvent): Record<(typeof columns)[number], string> {
  const { actor } = event;
  return {
    position: String(event.position),
    occurredAt: event.occurredAt.toISOString(),
    entity: event.entity,
    recordId: jsonOf(event.recordId),
    action: event.action,
    actionName: event.actionName ?? "",
    origin: event.origin,
    version: String(event.version),
    actorType: actor?.type ?? "",
    actorId: actor?.id ?? "",
    actorName: actor?.name ?? "",
    tenant: event.tenant ?? "",
    correlationId: event.correlationId ?? "",
    causationId: event.causationId ?? "",
    signedBy: event.signedBy ?? "",
    transactionId: String(event.transactionId),
    metadata: jsonOf(event.metadata),
    data: jsonOf(event.data),
    previous: jsonOf(event.previous),
    tooLarge: event.tooLarge ? "true" : "",
  };
}
