import type { CheckedOptions } from "./options.js";
import type { Session } from "./session.js";

/** How who and why goes to the database: written here, read by `sent_context()`. */

/** At the very end of a message: behind a semicolon no statistics of statements keep it, and nothing in a literal ends a message. */
export function contextComment(text: string, content: string): string {
  return `${text}${text.includes("--") ? "\n" : ""};/*chronicle:${content}*/`;
}

/** The comment of a message whose context was set for its transaction. */
export const asItWasSet = "=";

/** SQL: what a setting has to begin with to be believed, so that one that stayed from another transaction is not. */
export const transactionStart = "extract(epoch from pg_catalog.transaction_timestamp())::pg_catalog.text";

/** SQL: sets the context, its parameter, until the transaction ends. */
export const setContext = `select pg_catalog.set_config('chronicle.context', pg_catalog.concat(${transactionStart}, ':', $1::pg_catalog.text), true)`;

/** Sets a context, given as JSON, for the rest of a session's transaction. */
export async function tellContext(session: Session, { context }: CheckedOptions, json: string): Promise<void> {
  const encoded = Buffer.from(json).toString("base64");
  const { sign } = context;
  const sent = sign === undefined ? encoded : sign(encoded, await session.serverProcess());
  await session.rows({ text: setContext, values: [sent] });
}
