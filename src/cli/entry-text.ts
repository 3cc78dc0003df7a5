import type { ActivityEntry } from "../index.js";
import { printable } from "./printable.js";

/** An entry as a line for people. */
export function entryText({
  occurredAt,
  action,
  outcome,
  severity,
  actor,
  subject,
  request,
  error,
  tooLarge,
}: ActivityEntry): string {
  const who = actor === null ? null : `${actor.type}:${actor.name ?? actor.id}`;
  return [
    occurredAt.toISOString(),
    severity,
    outcome,
    action,
    who,
    subject,
    request?.ip,
    error,
    tooLarge && "(too large to be read)",
  ]
    .filter((cell) => cell !== null && cell !== undefined)
    .map((cell) => printable(cell))
    .join("  ");
}
