import type { DataSource } from "typeorm";
import { v7 } from "uuid";
import { type Outcome, outcomes, type RequestFacts, severities, type Severity } from "../../entities/activity.js";
import { requestContext } from "../core/request-context.js";
import { sourceOf } from "./address.js";
import type { ActivityEntry, ActivityInput } from "./entry.js";
import { keyedHash } from "./keyed-hash.js";
import type { CheckedActivityOptions } from "./options.js";
import { messageOf, type Redaction, Redactor, storable } from "./redact.js";
import { clientAddress, requestFacts } from "./request-facts.js";
import { SensitiveNames } from "./sensitive-names.js";
import { currentTrace } from "./trace.js";
import { compiledTrust, type Proxies } from "./trust-proxy.js";
import { node } from "./writer.js";

const foreignSeverities: Readonly<Record<string, Severity>> = { low: "info", medium: "warning", high: "error" };
const severityOf: Readonly<Record<Outcome, Severity>> = {
  success: "info",
  failure: "warning",
  denied: "warning",
  error: "error",
  unknown: "info",
};

/** Makes entries of what callers say and what the request context knows. */
export class EntryMaker {
  readonly #options: CheckedActivityOptions;
  readonly #redaction: Redaction;
  readonly #proxies: Proxies;
  /** A request has many entries, and its facts are the same in each. */
  readonly #facts = new WeakMap<object, RequestFacts>();

  constructor(options: CheckedActivityOptions) {
    this.#options = options;
    this.#proxies = { isTrusted: compiledTrust(options.trustProxy), header: options.proxyHeader };
    const { sensitive: mode, secret, includeFields } = options;
    this.#redaction = { names: new SensitiveNames(includeFields), mode, secret };
  }

  /** Learns the sensitive columns of the entities; returns the included fields that are sensitive, to be warned of. */
  learn(dataSource: DataSource): string[] {
    this.#redaction.names.learn(dataSource);
    return this.#options.includeFields.filter((name) => this.#redaction.names.isSensitive(name));
  }

  /** Never throws for what a caller may have in hand; a word that is not known is taken as unknown. */
  make(action: string, input: ActivityInput = {}, source: "server" | "client" = "server"): ActivityEntry {
    const context = requestContext();
    const outcome = outcomes.includes(input.outcome as Outcome) ? (input.outcome as Outcome) : "unknown";
    const severity = foreignSeverities[input.severity ?? ""] ?? (input.severity as Severity);
    const actor = input.actor === undefined ? context?.actor : input.actor;
    const request = input.request === undefined ? context?.request : input.request;
    const { traceId, spanId } = currentTrace();
    const { occurredAt } = input;
    const redactor = new Redactor(this.#redaction);
    return {
      id: v7(),
      occurredAt: occurredAt instanceof Date && !Number.isNaN(occurredAt.getTime()) ? occurredAt : new Date(),
      log: text(input.log) ?? "default",
      action: text(action) ?? "unknown",
      category: text(input.category),
      outcome,
      severity: severities.includes(severity) ? severity : severityOf[outcome],
      actor: actor ? { type: text(actor.type) ?? "unknown", id: text(actor.id) ?? "", name: text(actor.name) } : null,
      subject: text(input.subject),
      tenant: text(input.tenant === undefined ? context?.tenant : input.tenant),
      strategy: text(input.strategy),
      resource: this.#resource(input.resource),
      params: redactor.object(input.params),
      details: redactor.object(input.details),
      error: errorText(input.error, redactor),
      request: typeof request === "object" && request !== null ? this.#requestFacts(request) : null,
      correlationId: text(input.correlationId === undefined ? context?.correlationId : input.correlationId),
      causationId: text(input.causationId === undefined ? context?.causationId : input.causationId),
      traceId,
      spanId,
      node,
      source,
    };
  }

  #resource(given: ActivityInput["resource"]): ActivityEntry["resource"] {
    if (given === null || given === undefined) return null;
    if (typeof given === "string") return { type: storable(given, 1_024), key: null };
    return { type: text(given.type) ?? "unknown", key: this.keptKey(given.key) };
  }

  /** A resource's key as it is kept; for searching by one too. */
  keptKey(key: unknown): string | null {
    if (key === null || key === undefined) return null;
    const plain = typeof key === "object" ? storable(JSON.stringify(key), 1_024) : text(key);
    return plain === null || this.#options.sensitiveKeys ? plain : keyedHash(this.#options.secret, plain);
  }

  /** A request's address as it is kept; null where it has none. */
  addressOf(request: object): string | null {
    return this.#requestFacts(request).ip ?? null;
  }

  /** Where a request comes from, an IPv6 /64 as one, for telling one from another and not for keeping; null if nobody knows. */
  clientSource(request: object): string | null {
    const ip = clientAddress(request, this.#proxies);
    return ip === null ? null : sourceOf(ip);
  }

  #requestFacts(request: object): RequestFacts {
    const known = this.#facts.get(request);
    if (known !== undefined) return known;
    const facts = requestFacts(request, this.#proxies, this.#options, (path) =>
      new Redactor(this.#redaction).text(path, 1_024),
    );
    this.#facts.set(request, facts);
    return facts;
  }
}

function text(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "string") return storable(value, 1_024);
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? String(value) : null;
}

/**
 * An error's name and message, without the secrets in them: never its stack, which holds paths, or its fields, which hold
 * parameters.
 */
function errorText(error: unknown, redactor: Redactor): string | null {
  if (error === null || error === undefined) return null;
  if (typeof error === "string") return redactor.text(error, 2_048);
  if (!(error instanceof Error)) return text(error) ?? "[error]";
  const message = messageOf(error);
  return redactor.text(error.name === "Error" ? message : `${error.name}: ${message}`, 2_048);
}
