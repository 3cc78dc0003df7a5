import { PassThrough, Readable } from "node:stream";
import type { DataSource } from "typeorm";
import { EventLogError } from "../core/errors.js";
import { refuseUnknownOptions } from "../core/options.js";
import { requestContext } from "../core/request-context.js";
import { cleanup } from "./cleanup.js";
import { exportActivity, formats, type ExportFormat } from "./export.js";
import { adapted, type Handler } from "./handler.js";
import { recorderOf } from "./lifecycle.js";
import type { AccessAction } from "./options.js";
import { type ActivityFilter, search } from "./search.js";
import { stats, summary } from "./summary.js";

export interface AdminHandlerOptions {
  /** Who asks; may be async. (Default: the request context's actor) */
  readonly user?: ((request: Request) => unknown) | undefined;
}

const types: Readonly<Record<ExportFormat, string>> = {
  jsonl: "application/x-ndjson",
  json: "application/json",
  csv: "text/csv; charset=utf-8",
};
const largestPage = 1_000;

/**
 * Reading, exporting and cleaning up over HTTP: GET …/search, …/export, …/summary, …/stats and POST …/cleanup. Each asks
 * `authorize`, which allows nobody unless it is given, and is itself recorded, whether it was allowed or not. Parameters are in
 * the query; one that a call does not take, or that is given twice, is answered with 400, so that nothing is deleted by mistake.
 */
export function adminHandler(dataSource: DataSource, options: AdminHandlerOptions = {}): Handler {
  refuseUnknownOptions("adminHandler", options, ["user"]);
  const { user: userOf } = options;
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
    if (access === "cleanup" && request.headers.get("sec-fetch-site") === "cross-site")
      return refusal(403, "Not from another site.");
    const wrong = wrongParameter(call, [...url.searchParams.keys()]);
    if (wrong !== undefined) return refusal(400, wrong);
    try {
      return await answer(dataSource, call, parameters);
    } catch (error) {
      if (error instanceof EventLogError && error.code === "OPTIONS_INVALID") return refusal(400, error.message);
      throw error;
    }
  });
}

function accessOf(call: string, method: string): AccessAction | null {
  if (method === "POST") return call === "cleanup" ? "cleanup" : null;
  if (method !== "GET") return null;
  if (call === "export") return "export";
  return ["search", "summary", "stats"].includes(call) ? "read" : null;
}

/** What the calls take that read no entries one by one; the others' filter is checked by the search. */
const known: Readonly<Record<string, readonly string[]>> = {
  summary: ["hours"],
  stats: [],
  cleanup: ["olderThanDays", "dryRun"],
};

function wrongParameter(call: string, names: readonly string[]): string | undefined {
  const taken = known[call];
  const unknown = names.find((name) => taken !== undefined && !taken.includes(name));
  if (unknown !== undefined) return `${call} does not take ${unknown}; it takes ${taken?.join(", ") || "nothing"}.`;
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `${twice} is given twice.`;
}

/** Text of a query as a number; Number() takes nothing for 0. */
function numberIn(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

async function answer(dataSource: DataSource, call: string, parameters: Record<string, string>): Promise<Response> {
  const { limit, format = "jsonl", hours, olderThanDays, dryRun, ...filter } = parameters;
  switch (call) {
    case "search": {
      const most = Math.min(largestPage, limit === undefined ? 50 : numberIn(limit));
      const entries = [];
      for await (const entry of search(dataSource, { ...(filter as ActivityFilter), limit: most })) entries.push(entry);
      return Response.json({ ok: true, entries });
    }
    case "export":
      return exported(dataSource, format as ExportFormat, filter);
    case "summary":
      return Response.json({
        ok: true,
        summary: await summary(dataSource, { hours: hours === undefined ? undefined : numberIn(hours) }),
      });
    case "stats":
      return Response.json({ ok: true, stats: await stats(dataSource) });
    default:
      if (dryRun !== undefined && !["true", "false"].includes(dryRun))
        return refusal(400, `dryRun is true or false, got: ${dryRun}.`);
      return Response.json({
        ok: true,
        ...(await cleanup(dataSource, {
          olderThanDays: numberIn(olderThanDays ?? ""),
          dryRun: dryRun === "true",
        })),
      });
  }
}

/** The entries as they are read; an error on the way breaks the answer off, so that no half of it is taken for the whole. */
function exported(dataSource: DataSource, format: ExportFormat, filter: ActivityFilter): Response {
  if (!formats.includes(format)) return refusal(400, `format is one of ${formats.join(", ")}.`);
  const through = new PassThrough();
  exportActivity(dataSource, through, { ...filter, format }).catch((error: Error) => through.destroy(error));
  return new Response(Readable.toWeb(through) as ReadableStream, {
    headers: { "content-type": types[format], "content-disposition": `attachment; filename="activity.${format}"` },
  });
}

function refusal(status: number, error: string): Response {
  return Response.json({ ok: false, error }, { status });
}
