/** What the library uses of pg's Client. */
export interface PgClient {
  /** The backend that the server, or a pooler in its place, said it is. */
  readonly processID?: number | null;
  /** What the server said with its last answer: "I" if no transaction is open. Older versions of pg cannot tell. */
  getTransactionStatus?(): string | null;
  query(...parameters: readonly unknown[]): unknown;
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: "error" | "notice" | "notification" | "end", listener: (problem: Error) => void): unknown;
}

/** Marks a statement as the library's own: it passes no gate and carries no context. */
export const ownStatement = Symbol("own statement");

/** pg's Client class, or one that extends it. */
// oxlint-disable-next-line typescript/no-explicit-any -- mixins take any arguments
export type PgClientClass = new (...parameters: any[]) => PgClient;
