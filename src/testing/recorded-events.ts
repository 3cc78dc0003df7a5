import type { DataSource } from "typeorm";
import { eventLog, type RecordedEvent } from "../index.js";

/**
 * The events that were recorded while `work` ran, by position: `expect(await recordedEvents(dataSource, () => service.close(id)))`.
 * Writes of others on the same database meanwhile are among them. What `work` throws is thrown.
 */
export async function recordedEvents<Row = Record<string, unknown>>(
  dataSource: DataSource,
  work: () => unknown,
): Promise<RecordedEvent<Row>[]> {
  const log = eventLog(dataSource);
  let after = 0n;
  for await (const { position } of log.events({ order: "desc", limit: 1 })) after = position;
  await work();
  const recorded: RecordedEvent<Row>[] = [];
  for await (const event of log.events({ after })) recorded.push(event as RecordedEvent<Row>);
  return recorded;
}
