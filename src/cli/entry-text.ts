import type { ActivityEntry } from "../index.js";
import { printable } from "./output.js";

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
}: ActivityEntry): string {
  const who = actor === null ? null : `${actor.type}:${actor.name ?? actor.id}`;
  return [occurredAt.toISOString(), severity, outcome, action, who, subject, request?.ip, error]
    .filter((cell) => cell !== null && cell !== undefined)
    .map((cell) => printable(cell))
    .join("  ");
}
