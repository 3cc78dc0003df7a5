import type { ownStatement } from "../src/core/pg-client.js";
import type { Transaction } from "./transaction.js";

/** A statement as pg takes it: text, a config, or an object that submits itself (a cursor, a stream, a COPY). */
export interface Query {
  readonly text?: string;
  readonly name?: string;
  readonly submit?: unknown;
  readonly cursor?: { text?: string };
  readonly callback?: unknown;
  readonly [ownStatement]?: boolean;
}

/** A statement that is about to be sent, in a request context or in none. */
export interface Statement {
  readonly query: Query;
  readonly text: string;
  readonly values: readonly unknown[];
  /** The request context, in base64; it is not signed yet. */
  readonly encoded: string;
}

/** What steps may do on the connection of a statement. */
export interface Connection {
  readonly transaction: Transaction;
  /** Whether the server said with its last answer that a transaction is open; undefined where the Client cannot tell. */
  isInTransaction(): boolean | undefined;
  /** The server's process, which the Client learns as it connects; "" if a pooler stands between. */
  pid(): unknown;
  /** Host, port and name: what was found out about one database does not hold for another. */
  readonly database: string;
  /** Sends a statement of the library's own, which no step sees. */
  own(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

export type Send = (query: unknown) => Promise<unknown>;

/** What a step makes of a statement: another text or name, or something that is done around its sending. */
export interface Taken {
  readonly text?: string;
  readonly name?: string;
  readonly around?: (send: Send, query: unknown) => Promise<unknown>;
}

/** Looks at a statement when it is called, before anything is sent; undefined lets it pass. Throws an EventLogError to refuse it. */
export type Step = (statement: Statement, connection: Connection) => Taken | undefined;

export function textOf(query: unknown): string {
  if (typeof query === "string") return query;
  const { text, cursor } = query as Query;
  return text ?? cursor?.text ?? "";
}

/** The statement with another text, and name if it has one, in the form in which it was given. */
export function withText(given: unknown, text: string, name?: string): unknown {
  if (typeof given === "string") return text;
  const query = given as { text?: string; name?: string; cursor?: { text?: string }; submit?: unknown };
  if (query.submit === undefined) return { ...query, text, ...(name === undefined ? {} : { name }) };
  if (name !== undefined) query.name = name;
  if (query.cursor?.text !== undefined) query.cursor.text = text;
  else query.text = text;
  return query;
}

/** The answer without the results of the statements that were sent along, `count` of them from `first` on. */
export function withoutResults(result: unknown, first: number, count: number): unknown {
  if (count === 0 || !Array.isArray(result)) return result;
  const rest = [...(result.slice(0, first) as unknown[]), ...(result.slice(first + count) as unknown[])];
  return rest.length === 1 ? rest[0] : rest;
}
