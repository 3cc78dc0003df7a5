import type { EntityManager } from "typeorm";
import type { Outcome, RequestFacts, Severity } from "../../entities/activity.js";
import type { Actor } from "../core/request-context.js";

/** What somebody did or tried. */
export interface ActivityEntry {
  /** A UUID of version 7. */
  readonly id: string;
  /** By the clock of the process that recorded it. */
  readonly occurredAt: Date;
  /** A label to keep logs apart. */
  readonly log: string;
  readonly action: string;
  readonly category: string | null;
  readonly outcome: Outcome;
  readonly severity: Severity;
  readonly actor: { readonly type: string; readonly id: string; readonly name: string | null } | null;
  /** Whom it is about where that is no actor (yet), such as the address given at a sign-in. */
  readonly subject: string | null;
  readonly tenant: string | null;
  /** The way in: "password", "magic_link". */
  readonly strategy: string | null;
  readonly resource: { readonly type: string; readonly key: string | null } | null;
  /** What the action was given, without what is sensitive. */
  readonly params: Readonly<Record<string, unknown>>;
  /** What else is worth knowing, without what is sensitive. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly error: string | null;
  readonly request: RequestFacts | null;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceId: string | null;
  readonly spanId: string | null;
  /** The process that recorded it. */
  readonly node: string;
  /** Whether the server or a front end says so. */
  readonly source: "server" | "client";
}

/** What a caller says of an entry; the request context fills actor, tenant, request, correlation and trace. */
export interface ActivityInput {
  /** (Default: "unknown") */
  readonly outcome?: Outcome | undefined;
  /** "low", "medium" and "high" are taken as info, warning and error. (Default: by outcome) */
  readonly severity?: Severity | "low" | "medium" | "high" | undefined;
  readonly category?: string | null | undefined;
  readonly actor?: Actor | null | undefined;
  readonly subject?: string | number | bigint | null | undefined;
  readonly tenant?: string | number | null | undefined;
  readonly strategy?: string | null | undefined;
  /** What it is done to. */
  readonly resource?: string | { readonly type: string; readonly key?: unknown } | null | undefined;
  readonly params?: object | null | undefined;
  readonly details?: object | null | undefined;
  readonly error?: unknown;
  /** The request object of a framework, or facts by hand. (Default: the request context's) */
  readonly request?: object | null | undefined;
  readonly log?: string | undefined;
  readonly correlationId?: string | null | undefined;
  readonly causationId?: string | null | undefined;
  /** When it happened, for what is told later. (Default: now) */
  readonly occurredAt?: Date | undefined;
}

const ofInput: Readonly<Record<keyof ActivityInput, true>> = {
  outcome: true,
  severity: true,
  category: true,
  actor: true,
  subject: true,
  tenant: true,
  strategy: true,
  resource: true,
  params: true,
  details: true,
  error: true,
  request: true,
  log: true,
  correlationId: true,
  causationId: true,
  occurredAt: true,
};
/** What a caller can say of an entry. */
export const inputKeys: readonly string[] = Object.keys(ofInput);

export interface RecordNowInput extends ActivityInput {
  /** Write it in this manager's open transaction: it lives and dies with it. (Default: outside of any) */
  readonly within?: EntityManager | undefined;
}
