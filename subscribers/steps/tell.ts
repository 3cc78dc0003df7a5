import type { Step } from "../connection.js";
import type { Gate } from "../gate.js";
import { endsTransaction, fitsInTransaction, mayWrite } from "../statement.js";
import { inTransaction } from "./in-transaction.js";

/** A comment reaches server logs and pg_stat_activity, so it stays small; more goes by `set local`. */
const largestComment = 1_024;

export function setContext(encoded: string): string {
  return `set local chronicle.context = '${encoded}'`;
}

/** Who and why, for one statement: as a comment in front of it where that fits, else by `set local`. */
export function tell(gate: Gate): Step {
  return ({ query, text, encoded }, connection) => {
    const { transaction } = connection;
    const ends = endsTransaction(text);
    if (encoded === transaction.told || !mayWrite(text) || (encoded === "" && ends)) return undefined;
    const named = query.name !== undefined && query.name !== "";
    const alone = !transaction.open && !ends;
    const wrap = alone && query.submit === undefined && fitsInTransaction(text);
    if (!named && (encoded.length <= largestComment || (alone && !wrap)))
      return { text: `/*chronicle:${encoded}*/${text}` };
    if (alone && !wrap) return undefined;
    if (alone) return { around: inTransaction(gate, connection, [setContext(encoded)]) };
    return {
      around: async (send, given) => {
        await connection.own(setContext(encoded));
        if (transaction.open) transaction.told = encoded;
        return send(given);
      },
    };
  };
}
