import { EventLogError, type EventLogErrorCode } from "./errors.js";

/** SQLSTATEs that our own functions raise. */
const states: Readonly<Record<string, EventLogErrorCode>> = {
  CH001: "ACTOR_REQUIRED",
  CH002: "COLUMN_TYPE_UNSUPPORTED",
  CH003: "NOT_TRACKED",
  CH005: "LIMIT_EXCEEDED",
  CH006: "OPTIONS_INVALID",
  CH007: "WRITE_NOT_CAPTURED",
  CH008: "CONTEXT_UNSIGNED",
  CH009: "LOG_LOCKED",
  CH010: "OTHER_OWNER",
  CH011: "ROWS_HIDDEN",
  CH012: "INSTALL_STALE",
};

/** The error as the library names it where it is one of ours; every other error as it is. */
export function asEventLogError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof EventLogError) return error;
  const ours = states[stateOf(error) ?? ""];
  if (ours === undefined) return error;
  const message =
    ours === "LIMIT_EXCEEDED" ? "A row is larger than one event may be (limits.dataBytes)." : `${error.message}.`;
  return new EventLogError(ours, message, { cause: withoutValues(error) });
}

/** The error of a statement of the library's own, which has no parameters but what a caller passed. Safe to log. */
export function ownError(error: unknown): unknown {
  if (isOfHiddenRows(error))
    return new EventLogError("ROWS_HIDDEN", `${(error as Error).message}.`, { cause: withoutValues(error) });
  if (stateOf(error) !== "22021") return withoutValues(asEventLogError(error));
  return new EventLogError("OPTIONS_INVALID", "A text that was passed holds a character that PostgreSQL cannot hold.", {
    hint: "Take out characters of code zero.",
    cause: withoutValues(error),
  });
}

/** What Postgres says of an error and that never quotes a value. */
const safeParts = [
  "code",
  "severity",
  "schema",
  "table",
  "column",
  "constraint",
  "dataType",
  "routine",
  "hint",
] as const;

/**
 * Postgres's error without the values that it quotes in detail and context, and for errors about data (SQLSTATE class
 * 22) in the message: an error of the library may be logged by anyone. Every other error as it is.
 */
export function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error) || !("severity" in error)) return error;
  const message = stateOf(error)?.startsWith("22") ? error.message.replace(/"[^]*"/, '"…"') : error.message;
  const parts = error as unknown as Record<string, unknown>;
  return Object.assign(new Error(message), Object.fromEntries(safeParts.map((part) => [part, parts[part]])));
}

/** Postgres's refusal where `row_security` is off and a policy would hide rows; its message is in the server's language. */
export function isOfHiddenRows(error: unknown): boolean {
  return stateOf(error) === "42501" && (error as { routine?: string }).routine === "check_enable_rls";
}

/** Postgres's SQLSTATE of an error, or undefined. */
export function stateOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as { code?: string }).code : undefined;
}

/** A value that is none of its type: its form, its range or length, or what its domain checks. */
export function isValueError(error: unknown): boolean {
  const state = stateOf(error) ?? "";
  return state.startsWith("22") || state === "23514" || state === "23502";
}

/** A table, schema or function that does not exist. */
export function isMissing(error: unknown): boolean {
  return ["42P01", "3F000", "42883"].includes(stateOf(error) ?? "");
}
