import { EventLogError } from "../../src/index.js";

/** What a call came to. */
export type Attempt<T> = { readonly failed: false; readonly value: T } | Failed;
export interface Failed {
  readonly failed: true;
  readonly error: unknown;
}

export async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { failed: false, value: await work() };
  } catch (error) {
    return { failed: true, error };
  }
}

/** The code of a typed error; undefined for a value. */
export function codeOf(given: Attempt<unknown>): string | undefined {
  return given.failed ? describeError(given.error).code : undefined;
}

/** A sentence for a report; errors that are not typed are called so. */
export function described(given: Attempt<unknown>): string {
  if (!given.failed) return "a value";
  const { code, message } = describeError(given.error);
  return `${code}: ${message}`;
}

export function isTyped(error: unknown): boolean {
  return ownError(error) instanceof EventLogError;
}

function describeError(error: unknown): { code: string; message: string } {
  const own = ownError(error) as { code?: string; name?: string; message?: string };
  const code = isTyped(error) ? String(own.code) : `not typed, ${own.code ?? own.name ?? "?"}`;
  return { code, message: String(own.message).split("\n")[0] ?? "" };
}

/** TypeORM wraps what its driver throws. */
function ownError(error: unknown): unknown {
  return (error as { driverError?: unknown }).driverError ?? error;
}
