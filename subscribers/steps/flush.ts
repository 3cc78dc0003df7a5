import { isOfHiddenRows, ownError, stateOf } from "../../src/core/database-errors.js";
import { EventLogError } from "../../src/core/errors.js";
import type { CheckedOptions } from "../../src/core/options.js";
import { quoteIdentifier, quoteLiteral } from "../../src/core/sql.js";
import { type Connection, type Send, type Step, withoutResults, withText } from "../connection.js";
import { lockKeys } from "../lock-keys.js";
import { type Note, notesOf } from "../notes.js";
import type { ReportUncaptured } from "../report.js";
import { keepsTransaction } from "../statement.js";

/**
 * Sends the events of a transaction in the message of its COMMIT, whoever sends that: constraints first, because a deferred check
 * that fails later would let a position precede what it depends on; then one statement that locks, reads and writes.
 * When it fails, the commit fails: the transaction is rolled back and nothing of it stays.
 */
export function flush(options: CheckedOptions, report: ReportUncaptured): Step {
  return ({ text }, connection) => {
    const { transaction } = connection;
    if (!transaction.open || transaction.notes.isEmpty || !keepsTransaction(text)) return undefined;
    const touches = transaction.notes.take();
    return {
      around: async (send, query) => {
        const notes = notesOf(touches);
        if (notes.length === 0) return send(query);
        try {
          return await committed(send, query, notes);
        } catch (error) {
          if (stateOf(error) === "25P02") return send(query); // it has failed before, and COMMIT is a rollback then, as always
          await connection.own("rollback").catch(() => undefined); // the first error is the one to tell
          if (isOfHiddenRows(error)) throw ownError(error);
          throw stateOf(error) === "42501" || stateOf(error) === "42883" || stateOf(error) === "3F000"
            ? notAllowed(error)
            : error;
        }
      },
    };

    async function committed(send: Send, query: unknown, notes: readonly Note[]): Promise<unknown> {
      const payload = quoteLiteral(await payloadOf(options, notes, connection));
      const statements = `set constraints all immediate; select ${quoteIdentifier(options.schema)}.flush(${payload}::pg_catalog.jsonb)::pg_catalog.text as lost`;
      const result = (await send(withText(query, `${statements}; ${text}`))) as { rows: { lost: string }[] }[];
      const lost = JSON.parse(result[1]?.rows[0]?.lost ?? "{}") as Record<string, number>;
      for (const tableName of Object.keys(lost)) {
        const entity = notes.find(({ table }) => table.tableName === tableName)?.table.entity ?? tableName;
        report(
          `(a change of a record that the log does not know)`,
          [entity],
          "its former state is not known; run baseline()",
        );
      }
      return withoutResults(result, 0, 2);
    }
  };
}

/**
 * What the SQL function of the same name takes: runs of records that have table, first verb and context in common. Keys are JSON as
 * the database wrote it and go back unread. Contexts are JSON, or strings where they are signed.
 */
async function payloadOf(options: CheckedOptions, notes: readonly Note[], connection: Connection): Promise<string> {
  const locks = await lockKeys(options, notes, connection);
  const { sign } = options.context;
  const contexts: string[] = [];
  const runs: { readonly head: string; readonly keys: string[] }[] = [];
  for (const { table, key, first, context } of notes) {
    const json = context?.json.text ?? (sign && "{}");
    if (json !== undefined && !contexts.includes(json)) contexts.push(json);
    const place = json === undefined ? null : contexts.indexOf(json);
    const head = `"table":${JSON.stringify(table.tableName)},"first":"${first}","context":${place}`;
    const last = runs.at(-1);
    if (last?.head === head) last.keys.push(key);
    else runs.push({ head, keys: [key] });
  }
  const signed = (json: string) => sign?.(Buffer.from(json).toString("base64"), connection.pid());
  const sent = sign === undefined ? contexts : contexts.map((json) => JSON.stringify(signed(json)));
  const written = runs.map(({ head, keys }) => `{${head},"keys":[${keys.join(",")}]}`);
  const how = `"exclusive":${options.lock.mode === "exclusive"},"refuse":${options.uncaptured === "error"}`;
  return `{${how},"locks":${locks},"contexts":[${sent.join(",")}],"runs":[${written.join(",")}]}`;
}

function notAllowed(cause: unknown): EventLogError {
  return new EventLogError("NOT_INSTALLED", "This role cannot record events, so the transaction was rolled back.", {
    hint: "Run `await eventLog(dataSource).install({ grantTo: role })`.",
    cause,
  });
}
