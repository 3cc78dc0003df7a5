import { checkOptions, type Option, section } from "./option-checker.js";
import { aFunction, anything } from "./option-kinds.js";
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

const read = aFunction("a function of the request");
const readerOptions = {
  actor: read,
  tenant: read,
  metadata: read,
} satisfies Record<keyof RequestReader<never>, Option<unknown>>;

/**
 * The request context that a reader makes of a request, without what is not known, and with the request itself for the activity
 * log: for an integration with a framework that has none here. Throws OPTIONS_INVALID for what is no reader, and what its
 * functions throw.
 */
export async function readRequest<Request>(request: Request, reader: RequestReader<Request>): Promise<RequestContext> {
  const parts = Object.entries(checkReader(reader));
  const answers = await Promise.all(parts.map(async ([part, ask]) => [part, await ask?.(request)] as const));
  const known = Object.fromEntries(answers.filter(([, answer]) => answer != null));
  return typeof request === "object" && request !== null ? { ...known, request } : known;
}

/**
 * The reader alone of an integration's options, checked: integrations call it when they are set up, with the names of what
 * they take besides. A mistyped part would leave every write without an actor. Throws OPTIONS_INVALID.
 */
export function checkReader<Request>(
  options: RequestReader<Request>,
  besides: readonly string[] = [],
): RequestReader<Request> {
  const others = Object.fromEntries(besides.map((name) => [name, anything()]));
  const wanted = section<Record<string, Option<unknown>>>({ ...readerOptions, ...others });
  const { actor, tenant, metadata } = checkOptions("request context", options, wanted);
  return Object.freeze({ actor, tenant, metadata }) as RequestReader<Request>;
}
