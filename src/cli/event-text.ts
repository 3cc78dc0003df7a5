import type { RecordedEvent } from "../index.js";
import { jsonOf } from "./json-of.js";
import { printable } from "./printable.js";

/** An event as cells for people: position, time, what, which record, by whom, and the columns. */
export function eventCells(event: RecordedEvent): string[] {
  const { position, occurredAt, action, actionName, origin, entity, recordId, data, previous } = event;
  const why = [actionName, origin === "capture" ? null : origin].filter((word) => word !== null);
  return [
    String(position),
    occurredAt.toISOString(),
    why.length === 0 ? action : `${action} (${why.join(", ")})`,
    `${entity} ${recordText(recordId)}`,
    actorText(event),
    event.tooLarge ? "(too large to be read)" : jsonOf(action === "destroy" ? previous : data),
  ].map(printable);
}

/** The one value of a key; of a composite one each with its name, because JSON keeps no order of its own. */
function recordText(recordId: RecordedEvent["recordId"]): string {
  const columns = Object.entries(recordId);
  return columns.map(([name, value]) => (columns.length === 1 ? String(value) : `${name}=${String(value)}`)).join(",");
}

export function actorText({ actor }: Pick<RecordedEvent, "actor">): string {
  return actor === null ? "-" : `${actor.type}:${actor.id}${actor.name === null ? "" : ` ${actor.name}`}`;
}
