import type { Link } from "../../src/core/attachment.js";
import { asEventLogError, stateOf } from "../../src/core/database-errors.js";
import { quoteIdentifier, quoteLiteral } from "../../src/core/sql.js";
import { capturedTables } from "../captured-tables.js";
import { type Step, textOf, withoutResults, withText } from "../connection.js";
import type { Gate } from "../gate.js";
import { forgetInstalled, wasInstalled } from "../installed.js";
import { changesTables, keepsTransaction } from "../statement.js";
import { writesOf } from "../written-tables.js";

/**
 * Asks, in the message of the COMMIT, whether the tables that the transaction wrote have their capture triggers: a table
 * that took the place of a tracked one, after this process had asked whether the log is installed, has none. The commit
 * fails then. Writes that came before a change of tables in the same transaction were made on those of before. A role
 * that has no rights on the log cannot ask.
 */
export function confirm(gate: Gate, schema: string, link: Link): Step {
  const question = `select ${quoteIdentifier(schema)}.confirm_capture`;
  return ({ text }, connection) => {
    const { dataSource } = link;
    const { transaction } = connection;
    if (dataSource === undefined || !wasInstalled(dataSource) || !transaction.open) return undefined;
    if (changesTables(text)) transaction.written.clear();
    for (const target of writesOf(text).targets) {
      const { tracked } = capturedTables(dataSource).byName.get(target) ?? {};
      if (tracked !== undefined) transaction.written.add(tracked.sqlName);
    }
    if (transaction.written.size === 0 || !gate.wasThere(connection) || !keepsTransaction(text)) return undefined;
    const asked = `${question}(array[${[...transaction.written].map(quoteLiteral).join(", ")}])`;
    return {
      around: async (send, query) => {
        try {
          return withoutResults(await send(withText(query, `${asked}; ${textOf(query)}`)), 0, 1);
        } catch (error) {
          const state = stateOf(error);
          if (state === "25P02") return send(query); // it has failed before, and COMMIT is a rollback then
          await connection.own("rollback").catch(() => undefined); // the first error is the one to tell
          if (state === "CH012") forgetInstalled(dataSource);
          throw asEventLogError(error);
        }
      },
    };
  };
}
