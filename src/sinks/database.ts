import type { Alerts } from "../activity/alerts.js";
import type { Connection } from "../activity/connection.js";
import type { Writer } from "../activity/writer.js";
import type { ActivityEntry } from "../activity/entry.js";
import type { Alert } from "../activity/alert-options.js";
import { stateOf } from "../core/database-errors.js";
import type { Sink } from "./sink.js";

/** The table `chronicle.activity`, and the thresholds that are counted in it. */
export function databaseSink(
  connection: Connection,
  schema: string,
  alerts: Alerts,
  writer: Writer | undefined,
  onAlerts: (alerts: readonly Alert[]) => void,
): Sink {
  return {
    name: "database",
    write: async (batch: readonly ActivityEntry[], waiting = 0) => {
      const raised = await connection.run((session) => alerts.write(session, schema, batch, writer?.seen(waiting)));
      if (raised.length > 0) onAlerts(raised);
    },
    // Data that the table cannot hold, a broken constraint, a limit: the same entry will fail again.
    refuses: (error) => /^(?:22|23|54)/.test(stateOf(error) ?? ""),
  };
}
