import { stateOf } from "../../src/core/database-errors.js";
import { type Send, type Step, withoutResults, withText } from "../connection.js";
import type { Gate } from "../gate.js";
import { endOfBegin } from "../statement.js";
import { setContext } from "./tell.js";

/** Who and why, where triggers are to know it, and the gate, in the message that opens a transaction: commands that take no snapshot. */
export function begin(gate: Gate, { tells }: { tells: boolean }): Step {
  return ({ text, encoded }, connection) => {
    const at = endOfBegin(text);
    if (at < 0) return undefined;
    const told = tells ? encoded : "";
    connection.transaction.begin(text, told);
    const opening = async (send: Send, query: unknown, passGate: boolean) => {
      const sentAlong = [...(told === "" ? [] : [setContext(told)]), ...(passGate ? [gate.pass] : [])];
      const opened = sentAlong.length === 0 ? text : `${text.slice(0, at)}; ${sentAlong.join("; ")}${text.slice(at)}`;
      return withoutResults(await send(withText(query, opened)), 1, sentAlong.length);
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
