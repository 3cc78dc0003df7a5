import { requestContext } from "../core/request-context.js";
import type { Severity } from "../../entities/activity.js";
import { adapted, type Handler, refusalOfChange } from "./handler.js";
import { rateLimit } from "./rate-limit.js";
import type { Recorder } from "./recorder.js";

const fields = ["appName", "modelName", "operation", "component", "description", "severity"] as const;
const words = ["low", "medium", "high", "debug", "info", "warning", "error", "critical"];
/** A front end may warn, and no more: what is worse is for the server to say. */
const capped: Readonly<Record<string, Severity>> = { high: "warning", error: "warning", critical: "warning" };

/** Takes a front end's own actions: POST, JSON, answered by `{ ok, error }`. */
export function clientHandler(recorder: Recorder): Handler {
  const { client } = recorder.options;
  const { perMinute, maxBytes } = client || { perMinute: 0, maxBytes: 0 };
  const isAllowed = rateLimit(perMinute);
  return adapted(maxBytes, async (request, { raw, body }) => {
    if (!client) return answer(404, "Front ends do not record here: set activity.client.");
    if (request.method !== "POST") return answer(405, "Use POST.");
    const refused = refusalOfChange(request);
    if (refused !== null) return answer(refused.status, refused.error);
    if (new URL(request.url).search !== "") return answer(400, "It takes no parameters.");
    const { actor } = requestContext() ?? {};
    if (!isAllowed(actor ? `${actor.type}:${String(actor.id)}` : `ip:${recorder.maker.clientSource(raw) ?? "?"}`))
      return answer(429, "Too many entries.");
    const text = await body();
    if (text === null) return answer(413, `Send at most ${maxBytes} bytes.`);
    const given = parsed(text);
    const wrong = given === null ? "Send a JSON object." : findingOf(given);
    if (given === null || wrong !== null) return answer(400, wrong ?? "");
    const { appName, modelName, operation, component, description, severity, success, metadata } = given;
    const action = typeof operation === "string" ? operation : "client";
    recorder.record(
      action,
      {
        category: "client",
        outcome: success === undefined ? "unknown" : success ? "success" : "failure",
        severity: capped[severity as string] ?? (severity as Severity | undefined) ?? "info",
        resource: typeof modelName === "string" ? modelName : null,
        details: { appName, component, description, metadata },
        request: raw,
      },
      "client",
    );
    return answer(202, null);
  });
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function findingOf(given: Record<string, unknown>): string | null {
  for (const name of fields)
    if (given[name] !== undefined && given[name] !== null && typeof given[name] !== "string")
      return `${name} must be a string.`;
  if (typeof given.operation !== "string" || given.operation === "") return "operation must be a string.";
  if (given.severity !== undefined && !words.includes(given.severity as string))
    return `severity must be one of ${words.join(", ")}.`;
  if (given.success !== undefined && typeof given.success !== "boolean") return "success must be true or false.";
  const { metadata } = given;
  if (metadata !== undefined && (typeof metadata !== "object" || Array.isArray(metadata)))
    return "metadata must be an object.";
  return null;
}

function answer(status: number, error: string | null): Response {
  return Response.json({ ok: error === null, error }, { status });
}
