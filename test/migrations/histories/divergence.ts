/** What must not be. The kind says which promise is broken, in few words that are the same each time. */
export class Divergence extends Error {
  constructor(
    readonly kind: string,
    detail: string,
  ) {
    super(`${kind}: ${detail}`);
  }
}

/** One line about an error, with its code. */
export function nameOf(error: unknown): string {
  const { code, message } =
    ((error as { driverError?: unknown }).driverError as { code?: string; message: string }) ??
    (error as { code?: string; message: string });
  return `${code ?? "no code"} ${String(message).split("\n")[0]}`;
}
