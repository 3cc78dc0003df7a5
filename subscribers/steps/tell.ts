import { stateOf } from "../../src/core/database-errors.js";
import { asItWasSet, contextComment, setContext } from "../../src/core/sent-context.js";
import type { CheckedOptions } from "../../src/core/options.js";
import type { Step } from "../connection.js";
import type { Gate } from "../gate.js";
import { fitsInTransaction, mayWrite, movesTransaction } from "../statement.js";
import { inTransaction } from "./in-transaction.js";

/** A comment reaches server logs and pg_stat_activity, so it stays small; more is set for the transaction. */
const largestComment = 1_024;

/**
 * Who and why, with every statement that may write, also where that is nobody: in a comment behind it, so that nothing that anybody
 * has set is taken for it. It is set instead, once a transaction, for a large one and for a statement with a name, whose text stays;
 * but not where the text itself moves the transaction, or submits itself or cannot be put into one of ours.
 */
export function tell(gate: Gate, { sign, pooler }: CheckedOptions["context"]): Step {
  return ({ query, text, encoded }, connection) => {
    if (!mayWrite(text)) return undefined;
    const { transaction } = connection;
    const content = () => sign?.(encoded, connection.pid()) ?? encoded;
    const isNamed = query.name !== undefined && query.name !== "";
    const fits = transaction.open || fitsInTransaction(text);
    if (!(isNamed || encoded.length > largestComment) || query.submit !== undefined || !fits || movesTransaction(text))
      return { text: contextComment(text, content()), ...(isNamed ? { name: "" } : {}) };
    const marked = contextComment(text, asItWasSet);
    // A signature for any connection holds for a statement, one for this connection as long as the transaction.
    const isTold = encoded === (transaction.open ? transaction.told : "") && !(sign && pooler);
    if (isTold) return { text: marked };
    const set = async () => {
      // In a transaction that has failed the statement fails as well, with the same error.
      await connection.own(setContext, [content()]).catch((error: unknown) => {
        if (stateOf(error) !== "25P02") throw error;
      });
    };
    if (!transaction.open) return { text: marked, around: inTransaction(gate, connection, set) };
    transaction.told = encoded;
    return {
      text: marked,
      around: async (send, given) => {
        await set();
        return send(given);
      },
    };
  };
}
