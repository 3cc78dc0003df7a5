import type { RecordedEvent } from "../index.js";
import { jsonOf, printable } from "./output.js";

/** An event as cells for people: position, time, what, which record, by whom, and the columns. */
export function eventCells(event: RecordedEvent): string[] {
  const { position, occurredAt, action, actionName, entity, recordId, data, previous } = event;
  return [
    String(position),
    occurredAt.toISOString(),
    actionName === null ? action : `${action} (${actionName})`,
    `${entity} ${Object.values(recordId).map(String).join(",")}`,
    actorText(event),
    jsonOf(action === "destroy" ? previous : data),
  ].map(printable);
}

export function actorText({ actor }: Pick<RecordedEvent, "actor">): string {
  return actor === null ? "-" : `${actor.type}:${actor.id}${actor.name === null ? "" : ` ${actor.name}`}`;
}
