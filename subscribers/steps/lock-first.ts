import { quoteIdentifier } from "../../src/core/sql.js";
import type { Step } from "../connection.js";
import type { Gate } from "../gate.js";
import { fitsInTransaction, stripped } from "../statement.js";
import { writesOf } from "../written-tables.js";
import { inTransaction } from "./in-transaction.js";

const callsCode = /^(?:call|do|execute)\b/i;

/**
 * Exclusive order under trigger capture: the log's lock before a transaction's first write. A trigger would take it when rows are
 * locked already, and deadlock. Costs a message of its own in each writing transaction, three for an autocommit write.
 */
export function lockFirst(gate: Gate, schema: string): Step {
  const lock = `select ${quoteIdentifier(schema)}.lock_log()`;
  return ({ query, text }, connection) => {
    const { transaction } = connection;
    const locked = async () => {
      if (await gate.isThere(connection)) await connection.own(lock);
    };
    if (transaction.locked || (writesOf(text).targets.length === 0 && !callsCode.test(stripped(text))))
      return undefined;
    if (!transaction.open) {
      if (query.submit !== undefined || !fitsInTransaction(text)) return undefined;
      return { around: inTransaction(gate, connection, locked) };
    }
    transaction.locked = true;
    return {
      around: async (send, given) => {
        await locked();
        return send(given);
      },
    };
  };
}
