import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { EventLogError } from "./errors.js";
import { measuredJson, type MeasuredJson } from "./json.js";

/** Who acts: a kind ("user", "job"), an id within it, and a name for people. */
export interface Actor {
  readonly type: string;
  readonly id: string | number | bigint;
  readonly name?: string | null | undefined;
}

/** Who and why, for every write made while it is open. */
export interface RequestContext {
  readonly actor?: Actor | null | undefined;
  readonly tenant?: string | number | null | undefined;
  /** Any JSON value per key; merged shallowly with that of the contexts around it. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Made at the outermost context (a UUID) and inherited. */
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  /** What the application calls the action, such as "account.close". */
  readonly actionName?: string | undefined;
  /** W3C trace context; kept in metadata. */
  readonly traceparent?: string | undefined;
  /**
   * The HTTP request (Node's, Express's, Fastify's or a Fetch Request), for the activity log, which takes method, path and
   * addresses from it. It is not kept in events.
   */
  readonly request?: object | undefined;
}

/** A context that was checked and can be sent: the JSON of its parts, ready for the database. */
interface OpenContext {
  readonly context: RequestContext;
  readonly json: MeasuredJson;
  readonly encoded: string;
}

const storage = new AsyncLocalStorage<{ open: OpenContext }>();

/**
 * Runs `work` with a request context: every event of a write made in it carries the context's actor, metadata and the rest.
 * Contexts nest: inner values win, metadata is merged shallowly.
 * Throws CONTEXT_INVALID, before `work` runs, for what JSON in PostgreSQL cannot keep.
 */
export function withRequestContext<T>(context: RequestContext, work: () => T): T {
  return storage.run({ open: openContext(merge(storage.getStore()?.open.context, context)) }, work);
}

/** The request context that is open, or undefined. */
export function requestContext(): RequestContext | undefined {
  return storage.getStore()?.open.context;
}

/** Adds to the open request context from now on, for example the actor once a guard knows it. */
export function enrichRequestContext(more: RequestContext): void {
  const cell = storage.getStore();
  if (cell === undefined) {
    throw new EventLogError("CONTEXT_INVALID", "There is no request context to enrich.", {
      hint: "Open one with withRequestContext first.",
    });
  }
  cell.open = openContext(merge(cell.open.context, more));
}

/**
 * `work`, to be called later with the request context that is open now, whatever is open then: for callbacks of streams, event
 * emitters and clients, which Node runs outside the request that gave them. Outside a request context, `work` as it is.
 */
export function bindRequestContext<Arguments extends unknown[], T>(
  work: (...given: Arguments) => T,
): (...given: Arguments) => T {
  const cell = storage.getStore();
  return cell === undefined ? work : (...given) => storage.run(cell, () => work(...given));
}

/** What the database is told: the open context as JSON, and the same in base64, or undefined where none is open. */
export function sendableContext(): Pick<OpenContext, "json" | "encoded"> | undefined {
  return storage.getStore()?.open;
}

/** The open context as JSON, with more in its metadata, and other parts in place of its own. */
export function contextWith(metadata: Readonly<Record<string, unknown>>, parts: object = {}): string {
  const open = JSON.parse(storage.getStore()?.open.json.text ?? "{}") as Pick<RequestContext, "metadata">;
  return JSON.stringify({ ...open, ...parts, metadata: { ...open.metadata, ...metadata } });
}

function merge(outer: RequestContext | undefined, inner: RequestContext): RequestContext {
  check(inner);
  const { traceparent, request = outer?.request, ...given } = inner;
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const metadata = { ...outer?.metadata, ...inner.metadata, ...(traceparent === undefined ? {} : { traceparent }) };
  const merged: RequestContext = { correlationId: randomUUID(), ...outer, ...defined, metadata };
  // Not enumerable: whoever prints or sends the context means who and why, not a request with its socket.
  if (request !== undefined) Object.defineProperty(merged, "request", { value: request });
  return Object.freeze(merged);
}

function openContext(context: RequestContext): OpenContext {
  const { actor, tenant, metadata, correlationId, causationId, actionName } = context;
  if (actor) warnOfNobody(actor);
  const json = measuredJson(
    {
      actor: actor ? { type: actor.type, id: String(actor.id), name: actor.name ?? null } : undefined,
      tenant: tenant === null || tenant === undefined ? undefined : String(tenant),
      metadata: metadata ?? {},
      correlationId,
      causationId,
      actionName,
    },
    "the request context",
  );
  return { context, json, encoded: Buffer.from(json.text).toString("base64") };
}

/** What a missing value becomes as text: `String(request.user?.id)`. */
const nobodies = ["undefined", "null", "NaN", "[object Object]", ""];
let isWarned = false;

/** Once in a process: an id like that is a mistake in the code around, and each of its events is right but for that. */
function warnOfNobody({ type, id }: Actor): void {
  if (isWarned || typeof id !== "string" || !nobodies.includes(id)) return;
  isWarned = true;
  process.emitWarning(
    `The request context has the actor ${type} with the id ${JSON.stringify(id)}, which is what a missing value becomes as text. ` +
      "Leave the actor out if there is none.",
    { code: "CHRONICLE_ACTOR" },
  );
}

const keys = ["actor", "tenant", "metadata", "correlationId", "causationId", "actionName", "traceparent", "request"];

function check(context: RequestContext): void {
  if (typeof context !== "object" || context === null) throw expected("the request context", "an object", context);
  for (const key of Object.keys(context)) {
    if (!keys.includes(key)) throw expected("the keys of the request context", `among ${keys.join(", ")}`, key);
  }
  const { actor, tenant, metadata } = context;
  if (actor !== undefined && actor !== null) {
    if (typeof actor !== "object") throw expected("actor", "an object { type, id, name? }", actor);
    if (typeof actor.type !== "string" || actor.type === "")
      throw expected("actor.type", "a string that is not empty", actor.type);
    if (!["string", "number", "bigint"].includes(typeof actor.id) || Number.isNaN(actor.id))
      throw expected("actor.id", "a string, a number or a bigint", actor.id);
    if (actor.name !== undefined && actor.name !== null && typeof actor.name !== "string")
      throw expected("actor.name", "a string", actor.name);
  }
  if (tenant !== undefined && tenant !== null && !["string", "number"].includes(typeof tenant))
    throw expected("tenant", "a string", tenant);
  if (metadata !== undefined && (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))) {
    throw expected("metadata", "an object", metadata);
  }
  if (context.request !== undefined && (typeof context.request !== "object" || context.request === null))
    throw expected("request", "the request object", context.request);
  for (const key of ["correlationId", "causationId", "actionName", "traceparent"] as const) {
    if (context[key] !== undefined && typeof context[key] !== "string") throw expected(key, "a string", context[key]);
  }
}

function expected(what: string, wanted: string, got: unknown): EventLogError {
  return new EventLogError("CONTEXT_INVALID", `Expected ${what} to be ${wanted}, got: ${kindOf(got)}.`);
}

/** What it is, not what it holds: only text, which names a key or a word, is told as it is. */
function kindOf(got: unknown): string {
  if (got === null || Number.isNaN(got)) return String(got);
  if (typeof got === "string") return got === "" ? "an empty string" : got;
  return Array.isArray(got) ? "array" : typeof got;
}
