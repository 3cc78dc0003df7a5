import { stateOf } from "../../src/core/database-errors.js";
import { type Send, type Step, textOf, withoutResults, withText } from "../connection.js";
import type { Gate } from "../gate.js";
import { endOfBegin } from "../statement.js";

/** The gate, in the message that opens a transaction: a command that takes no snapshot. */
export function begin(gate: Gate): Step {
  return ({ text }, connection) => {
    const at = endOfBegin(text);
    if (at < 0) return undefined;
    connection.transaction.begin(text);
    const opening = async (send: Send, query: unknown, passGate: boolean) => {
      if (!passGate) return send(query);
      const whole = textOf(query);
      const opened = `${whole.slice(0, at)}; ${gate.pass}${whole.slice(at)}`;
      return withoutResults(await send(withText(query, opened)), 1, 1);
    };
    return {
      around: async (send, query) => {
        const passGate = await gate.isThere(connection);
        try {
          return await opening(send, query, passGate);
        } catch (error) {
          if (!passGate || !["42P01", "3F000"].includes(stateOf(error) ?? "")) {
            connection.transaction.end();
            throw error;
          }
          gate.forget(connection);
          await connection.own("rollback");
          return opening(send, query, false);
        }
      },
    };
  };
}
