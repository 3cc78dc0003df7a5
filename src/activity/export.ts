import { createWriteStream } from "node:fs";
import { Readable, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { stringify } from "csv-stringify";
import type { DataSource } from "typeorm";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { abortSignal, aFunction, oneOf } from "../core/option-kinds.js";
import type { ActivityEntry } from "./entry.js";
import { type ActivityFilter, filterOptions, search } from "./search.js";

const formats = ["jsonl", "json", "csv"] as const;
export type ExportFormat = (typeof formats)[number];

export interface ExportOptions extends ActivityFilter {
  /** (Default: by the file's name, else "jsonl") */
  readonly format?: ExportFormat | undefined;
  readonly onProgress?: ((progress: { readonly done: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const exportOptions = section({
  ...filterOptions,
  format: oneOf(...formats),
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<ExportOptions>);

/** Writes every entry that matches to a file or a stream, one after the other: memory stays flat, and there is no hidden limit. */
export async function exportActivity(
  dataSource: DataSource,
  target: string | Writable,
  options: ExportOptions = {},
): Promise<{ entries: number }> {
  const { format = formatOf(target), onProgress, signal, ...filter } = checkOptions("export", options, exportOptions);
  let entries = 0;
  async function* counted(): AsyncGenerator<ActivityEntry> {
    for await (const entry of search(dataSource, filter)) {
      yield entry;
      entries++;
      if (entries % 1_000 === 0) onProgress?.({ done: entries });
    }
  }
  const sink = typeof target === "string" ? createWriteStream(target, { mode: 0o600 }) : target;
  await pipeline(
    [Readable.from(counted(), { highWaterMark: 1 }), ...writers[format](), sink],
    signal === undefined ? {} : { signal },
  );
  onProgress?.({ done: entries });
  return { entries };
}

function formatOf(target: string | Writable): ExportFormat {
  const ending = typeof target === "string" ? /\.(\w+)$/.exec(target)?.[1]?.toLowerCase() : undefined;
  return formats.find((format) => format === ending) ?? "jsonl";
}

const writers: Readonly<Record<ExportFormat, () => readonly Transform[]>> = {
  jsonl: () => [jsonLines()],
  json: () => [jsonList()],
  csv: () => [flatRows(), csvLines()],
};

/** An entry that was put there by other means may be nested too deeply for JSON.stringify. */
function jsonOf(entry: ActivityEntry): string {
  try {
    return JSON.stringify(entry);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return JSON.stringify(withoutObjects(entry));
  }
}

function withoutObjects(entry: ActivityEntry): ActivityEntry {
  return { ...entry, params: {}, details: {}, request: null, tooLarge: true };
}

function jsonLines(): Transform {
  return new Transform({
    writableObjectMode: true,
    writableHighWaterMark: 1, // entries, which may be large
    transform: (entry: ActivityEntry, _, done) => done(null, `${jsonOf(entry)}\n`),
  });
}

function jsonList(): Transform {
  let isFirst = true;
  return new Transform({
    writableObjectMode: true,
    writableHighWaterMark: 1, // entries, which may be large
    transform: (entry: ActivityEntry, _, done) => {
      const before = isFirst ? "[\n" : ",\n";
      isFirst = false;
      done(null, `${before}${jsonOf(entry)}`);
    },
    flush: (done) => done(null, isFirst ? "[]\n" : "\n]\n"),
  });
}

/** For spreadsheets: what would be taken for a formula is made text, and control characters are spelled out. */
function csvLines(): Transform {
  return stringify({ header: true, columns: csvColumns, escape_formulas: true, record_delimiter: "windows" });
}

function flatRows(): Transform {
  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform: (entry: ActivityEntry, _, done) => done(null, flat(entry)),
  });
}

const csvColumns = [
  ..."id occurredAt log action category outcome severity actorType actorId actorName subject tenant strategy".split(
    " ",
  ),
  ..."resourceType resourceKey params details error".split(" "),
  ..."requestId method path host ip port userAgent forwarded xForwardedFor".split(" "),
  ..."correlationId causationId traceId spanId node source tooLarge".split(" "),
];

function flat(entry: ActivityEntry): Record<string, unknown> {
  try {
    return rowOf(entry);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return rowOf(withoutObjects(entry));
  }
}

function rowOf({
  occurredAt,
  actor,
  resource,
  request,
  params,
  details,
  ...entry
}: ActivityEntry): Record<string, unknown> {
  const { id: requestId, ...facts } = request ?? {};
  const row: Record<string, unknown> = {
    ...facts,
    ...entry,
    requestId,
    occurredAt: occurredAt.toISOString(),
    actorType: actor?.type,
    actorId: actor?.id,
    actorName: actor?.name,
    resourceType: resource?.type,
    resourceKey: resource?.key,
    params: JSON.stringify(params),
    details: JSON.stringify(details),
  };
  for (const [name, value] of Object.entries(row)) if (typeof value === "string") row[name] = visible(value);
  return row;
}

const hidden = /(?![\ufe00-\ufe0f])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** Control characters as text, and what is not seen: they could move a terminal's cursor, or hide what comes after them. */
export function visible(text: string): string {
  return text.replaceAll(hidden, (character) =>
    Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
