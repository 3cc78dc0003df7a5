import type { EntityManager } from "typeorm";
import type { Outcome, RequestFacts, Severity } from "../../entities/activity.js";
import { type OptionsOf, section, value } from "../core/option-checker.js";
import { anything } from "../core/option-kinds.js";
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
  /**
   * Only there, and true, if the entry is more than 128 MB as text, or nested some 10,000 levels deep: params, details and request are left out, and texts
   * are cut off. An entry is never recorded so large; one that is there was put there by other means.
   */
  readonly tooLarge?: true;
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

export interface RecordNowInput extends ActivityInput {
  /** Write it in this manager's open transaction: it lives and dies with it. (Default: outside of any) */
  readonly within?: EntityManager | undefined;
}

/** The maker of entries takes what it can of any value, for a log must not stop the work: only the names are checked. */
export const entryInput = {
  outcome: anything(),
  severity: anything(),
  category: anything(),
  actor: anything(),
  subject: anything(),
  tenant: anything(),
  strategy: anything(),
  resource: anything(),
  params: anything(),
  details: anything(),
  error: anything(),
  request: anything(),
  log: anything(),
  correlationId: anything(),
  causationId: anything(),
  occurredAt: anything(),
} satisfies OptionsOf<ActivityInput>;

export const recordNowInput = section({
  ...entryInput,
  within: value<EntityManager>(
    "a manager with an open transaction",
    (given) => (given as EntityManager | null)?.queryRunner?.isTransactionActive === true,
    { hint: "Pass the manager that `dataSource.transaction(async (manager) => ...)` gives." },
  ),
} satisfies OptionsOf<RecordNowInput>);
