import { PassThrough, Readable } from "node:stream";
import type { DataSource } from "typeorm";
import { EventLogError } from "../core/errors.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { aFunction } from "../core/option-kinds.js";
import { requestContext } from "../core/request-context.js";
import { cleanup, type CleanupOptions } from "./cleanup.js";
import { exportActivity, type ExportFormat, type ExportOptions, exportOptions } from "./export.js";
import { adapted, type Handler, refusalOfChange } from "./handler.js";
import { recorderOf } from "./lifecycle.js";
import type { AccessAction } from "./options.js";
import { conditionsOf, filterOptions, search } from "./search.js";
import { stats, summary } from "./summary.js";

export interface AdminHandlerOptions {
  /** Who asks; may be async. (Default: the request context's actor) */
  readonly user?: ((request: Request) => unknown) | undefined;
}

const adminOptions = section({ user: aFunction() } satisfies OptionsOf<AdminHandlerOptions>);
const nothing = section({});

const types: Readonly<Record<ExportFormat, string>> = {
  jsonl: "application/x-ndjson",
  json: "application/json",
  csv: "text/csv; charset=utf-8",
};
const largestPage = 1_000;

/**
 * Reading, exporting and cleaning up over HTTP: GET …/search, …/export, …/summary, …/stats and POST …/cleanup. Each asks
 * `authorize`, which allows nobody unless it is given, and is itself recorded, whether it was allowed or not. Parameters are in
 * the query; one that a call does not take, that is given twice, or that is long, is answered with 400, so that nothing is deleted
 * by mistake. A cleanup has to be JSON and of the same origin, so that no other site can have a browser send it.
 */
export function adminHandler(dataSource: DataSource, options: AdminHandlerOptions = {}): Handler {
  const { user: userOf } = checkOptions("adminHandler", options, adminOptions);
  const recorder = recorderOf(dataSource);
  return adapted(0, async (request, { raw }) => {
    const url = new URL(request.url);
    const call = url.pathname.split("/").at(-1) ?? "";
    const access = accessOf(call, request.method);
    if (access === null) return refusal(404, "There are GET search, export, summary, stats and POST cleanup.");
    const user = userOf === undefined ? requestContext()?.actor : await userOf(request);
    const isAllowed = (await recorder.options.authorize?.(access, user)) === true;
    const parameters = Object.fromEntries(url.searchParams);
    recorder.record(`activity.${access}`, {
      category: "access",
      outcome: isAllowed ? "success" : "denied",
      details: { call, parameters },
      request: raw,
    });
    if (!isAllowed) return refusal(403, "Not allowed.");
    const refused = access === "cleanup" ? refusalOfChange(request) : null;
    if (refused !== null) return refusal(refused.status, refused.error);
    const odd = oddOf(call, url.searchParams);
    if (odd !== undefined) return refusal(400, odd);
    try {
      return await answer(dataSource, call, parameters);
    } catch (error) {
      if (error instanceof EventLogError && error.code === "OPTIONS_INVALID") return refusal(400, error.message);
      throw error;
    }
  });
}

const takes: Readonly<Record<string, readonly string[]>> = {
  search: [...Object.keys(filterOptions), "limit"],
  export: [...Object.keys(filterOptions), "format"],
  summary: ["hours"],
  stats: [],
  cleanup: ["olderThanDays", "dryRun"],
};
/** The most characters of a parameter. */
const longest = 1_000;

/** What is wrong with a call's parameters before they are read. */
function oddOf(call: string, parameters: URLSearchParams): string | undefined {
  const names = [...parameters.keys()];
  const known = takes[call] ?? [];
  if (names.some((name) => !known.includes(name))) return `It takes ${known.join(", ") || "no parameters"}.`;
  if (new Set(names).size < names.length) return "A parameter is given twice.";
  const wrong = [...parameters].find(([, value]) => value.length > longest || value.includes("\0"));
  return wrong && `${wrong[0]} has more than ${longest} characters, or a NUL.`;
}

function accessOf(call: string, method: string): AccessAction | null {
  if (method === "POST") return call === "cleanup" ? "cleanup" : null;
  if (method !== "GET") return null;
  if (call === "export") return "export";
  return ["search", "summary", "stats"].includes(call) ? "read" : null;
}

/** Parameters as the calls take them; what is no number or no yes or no stays what it is, for the call to refuse. */
function typed(parameters: Readonly<Record<string, string>>): Record<string, unknown> {
  const number = (text: string) => (text.trim() === "" ? Number.NaN : Number(text));
  const boolean = (text: string) => (text === "true" ? true : text === "false" ? false : text);
  const readers: Readonly<Record<string, (text: string) => unknown>> = {
    limit: number,
    hours: number,
    olderThanDays: number,
    dryRun: boolean,
  };
  return Object.fromEntries(Object.entries(parameters).map(([name, text]) => [name, (readers[name] ?? String)(text)]));
}

async function answer(dataSource: DataSource, call: string, parameters: Record<string, string>): Promise<Response> {
  const options = typed(parameters);
  switch (call) {
    case "search": {
      const limit = Math.min(largestPage, (options.limit as number | undefined) ?? 50);
      const entries = [];
      for await (const entry of search(dataSource, { ...options, limit })) entries.push(entry);
      return Response.json({ ok: true, entries });
    }
    case "export":
      return exported(dataSource, options);
    case "summary":
      return Response.json({ ok: true, summary: await summary(dataSource, options) });
    case "stats":
      checkOptions("stats", options, nothing);
      return Response.json({ ok: true, stats: await stats(dataSource) });
    default:
      return Response.json({ ok: true, ...(await cleanup(dataSource, options as unknown as CleanupOptions)) });
  }
}

/** The entries as they are read; an error on the way breaks the answer off, so that no half of it is taken for the whole. */
function exported(dataSource: DataSource, options: ExportOptions): Response {
  // What is wrong is told before the answer begins.
  const { format = "jsonl", ...filter } = checkOptions("export", options, exportOptions);
  conditionsOf(dataSource, filter);
  const through = new PassThrough();
  exportActivity(dataSource, through, { ...filter, format }).catch((error: Error) => through.destroy(error));
  return new Response(Readable.toWeb(through) as ReadableStream, {
    headers: { "content-type": types[format], "content-disposition": `attachment; filename="activity.${format}"` },
  });
}

function refusal(status: number, error: string): Response {
  return Response.json({ ok: false, error }, { status });
}
