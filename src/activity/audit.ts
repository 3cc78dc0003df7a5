import type { Outcome } from "../../entities/activity.js";
import type { ActivityInput } from "./entry.js";
import type { Recorder } from "./recorder.js";

export interface AuditInput extends Omit<ActivityInput, "outcome" | "error"> {
  /** How an error is to be taken. (Default: by its kind, see `outcomeOf`) */
  readonly outcomeOf?: ((error: unknown) => Outcome) | undefined;
}

/** Runs work and records how it ended: its error is recorded and thrown on, its result returned. */
export async function audit<T>(
  recorder: Recorder,
  action: string,
  { outcomeOf = outcomeOfError, ...input }: AuditInput,
  work: () => T | Promise<T>,
): Promise<T> {
  const started = performance.now();
  const details = () => ({ ...input.details, durationMs: Math.round(performance.now() - started) });
  try {
    const result = await work();
    recorder.record(action, { ...input, outcome: "success", details: details() });
    return result;
  } catch (error) {
    recorder.record(action, { ...input, outcome: outcomeBy(outcomeOf, error), error, details: details() });
    throw error;
  }
}

/** By its kind where the caller's own function throws: the work's error is the one to record and to throw on. */
function outcomeBy(outcomeOf: (error: unknown) => Outcome, error: unknown): Outcome {
  try {
    return outcomeOf(error);
  } catch {
    return outcomeOfError(error);
  }
}

/**
 * 401 and every error without a mark is a failure: the work refused. 403 is denied. What broke is an error: status 500 and above,
 * the network's and the database's errors, and those of JavaScript itself.
 */
function outcomeOfError(error: unknown): Outcome {
  if (!(error instanceof Error)) return "failure";
  const status = statusOf(error);
  if (status !== undefined) return status === 403 ? "denied" : status >= 500 ? "error" : "failure";
  const isOfJavaScript = [TypeError, ReferenceError, RangeError, SyntaxError].some((type) => error instanceof type);
  const isOfTheSystem = "syscall" in error || "driverError" in error || "severity" in error;
  return isOfJavaScript || isOfTheSystem ? "error" : "failure";
}

/** As Express, Fastify and Nest mark their errors. */
function statusOf(error: Error): number | undefined {
  const { status, statusCode, getStatus } = error as {
    status?: unknown;
    statusCode?: unknown;
    getStatus?: () => unknown;
  };
  const found = typeof getStatus === "function" ? getStatus.call(error) : (statusCode ?? status);
  return typeof found === "number" ? found : undefined;
}
