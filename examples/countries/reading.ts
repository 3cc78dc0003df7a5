import type { EventLog, RecordedEvent } from "../../src/index.js";
import { Currency } from "./model.js";
import type { Written } from "./errands/errand.js";

/** Events per action, of one actor. */
export interface ActorCount {
  readonly actor: string;
  readonly create: number;
  readonly update: number;
  readonly destroy: number;
}

/** Writes made in one way and the events that came of them. */
export interface WrittenCount extends Written {
  readonly events: number;
}

/** Everybody in the log and what they did, in order of appearance. */
export async function countByActor(log: EventLog): Promise<ActorCount[]> {
  const counts = new Map<string, { create: number; update: number; destroy: number }>();
  for await (const { actor, action } of log.events()) {
    const name = actor?.name ?? "nobody";
    const count = counts.get(name) ?? { create: 0, update: 0, destroy: 0 };
    count[action]++;
    counts.set(name, count);
  }
  return [...counts].map(([actor, count]) => ({ actor, ...count }));
}

/** Sets writes against events: the way of writing was put into the metadata, as any other reason could be. */
export async function countByWay(log: EventLog, written: readonly Written[]): Promise<WrittenCount[]> {
  const counts = new Map(written.map(({ how }) => [how, { writes: 0, events: 0 }]));
  for (const { how, writes } of written)
    counts.set(how, { writes: (counts.get(how)?.writes ?? 0) + writes, events: 0 });
  for await (const { metadata } of log.events()) {
    const count = counts.get(String(metadata.how));
    if (count !== undefined) count.events++;
  }
  return [...counts].map(([how, count]) => ({ how, ...count }));
}

/** The last event of each of the last few requests, newest first. Events of one request share a correlation id. */
export async function lastOfEachRequest(log: EventLog, requests: number): Promise<RecordedEvent[]> {
  const seen = new Map<string, RecordedEvent>();
  for await (const event of log.events({ order: "desc" })) {
    const request = event.correlationId ?? String(event.position);
    if (!seen.has(request)) seen.set(request, event);
    if (seen.size === requests) break;
  }
  return [...seen.values()];
}

/** How many events the log holds, or how many of them `isCounted`. */
export async function countEvents(
  log: EventLog,
  isCounted: (event: RecordedEvent) => boolean = () => true,
): Promise<number> {
  let count = 0;
  for await (const event of log.events()) if (isCounted(event)) count++;
  return count;
}

/** A version 1 event, and the record that it makes today. */
export interface OldVersion {
  readonly event: RecordedEvent;
  readonly handler: "override" | "upcaster";
  /** The entity as `at()` gives it: after the override or upcaster, in today's shape. */
  readonly today: Currency | null;
}

/** One currency's version 1 events, each with the record as it was after it. */
export async function oldVersions(log: EventLog, code: string): Promise<OldVersion[]> {
  const events = await log.history(Currency, code);
  const old: OldVersion[] = [];
  for (const event of events.filter(({ version }) => version === 1)) {
    // A point in time never cuts a transaction in two, and the import made many rows in one: hence the bookmark after it.
    const isImported = event.action === "create";
    const today = await log.at(Currency, code, isImported ? { bookmark: "imported" } : event.position);
    old.push({ event, handler: isImported ? "override" : "upcaster", today });
  }
  return old;
}
