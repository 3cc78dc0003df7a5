import type { Connection, Taken } from "../connection.js";
import type { Gate } from "../gate.js";

/**
 * Sends an autocommit statement in a transaction of our own, for what has to be set or locked `first`. Where the server says
 * that one is open after all, it is the application's, and never ended by us.
 */
export function inTransaction(
  gate: Gate,
  connection: Connection,
  first: () => Promise<void>,
): NonNullable<Taken["around"]> {
  return async (send, query) => {
    if (connection.isInTransaction() === true) {
      await first();
      return send(query);
    }
    const passed = (await gate.isThere(connection)) ? [gate.pass] : [];
    await connection.own(["start transaction", ...passed].join("; "));
    try {
      await first();
      const result = await send(query);
      await connection.own("commit");
      return result;
    } catch (error) {
      await connection.own("rollback");
      throw error;
    }
  };
}
