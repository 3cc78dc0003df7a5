import { EventLogError } from "./errors.js";
import { refuseUnknownOptions } from "./options.js";
import type { Actor, RequestContext } from "./request-context.js";

type Answer<T> = T | null | undefined | Promise<T | null | undefined>;

/**
 * How a request says who and why. Each function may be async; null or undefined means "not known (yet)".
 * What one of them throws fails the request: nothing is written without the actor that it should have had.
 */
export interface RequestReader<Request> {
  readonly actor?: ((request: Request) => Answer<Actor>) | undefined;
  readonly tenant?: ((request: Request) => Answer<string | number>) | undefined;
  readonly metadata?: ((request: Request) => Answer<Readonly<Record<string, unknown>>>) | undefined;
}

const parts = ["actor", "tenant", "metadata"] as const;

/**
 * The request context that a reader makes of a request, without what is not known, and with the request itself for the activity
 * log: for a door to a framework that has none
 * here. Throws OPTIONS_INVALID where a part of the reader is no function, and what its functions throw.
 */
export async function readRequest<Request>(request: Request, reader: RequestReader<Request>): Promise<RequestContext> {
  refuseNoFunctions(reader);
  const answers = await Promise.all(parts.map(async (part) => [part, await reader[part]?.(request)] as const));
  const known = Object.fromEntries(answers.filter(([, answer]) => answer != null));
  return typeof request === "object" && request !== null ? { ...known, request } : known;
}

/**
 * Throws OPTIONS_INVALID for what is no reader: doors call it when they are set up, with the names of what they take besides. A
 * mistyped part would leave every write without an actor.
 */
export function checkReader(reader: RequestReader<never>, besides: readonly string[] = []): void {
  refuseNoFunctions(reader);
  refuseUnknownOptions("request context", reader, [...parts, ...besides]);
}

function refuseNoFunctions(reader: RequestReader<never>): void {
  if (typeof reader !== "object" || reader === null) {
    throw new EventLogError("OPTIONS_INVALID", `Expected an object of ${parts.join(", ")}, got: ${typeof reader}.`);
  }
  for (const part of parts) {
    const given: unknown = reader[part];
    if (given === undefined || typeof given === "function") continue;
    throw new EventLogError(
      "OPTIONS_INVALID",
      `Expected ${part} to be a function of the request, got: ${typeof given}.`,
    );
  }
}
