import { styleText } from "node:util";
import type { RecordedEvent } from "../../../src/index.js";
import type { Facts } from "../facts.js";
import { table } from "./table.js";
import { change, count, counted, deed, record, seconds, shortened, value } from "./words.js";

export function imported({ events, durationMs }: Facts["imported"]): string {
  return `  ${count(events)} events recorded with them, in ${seconds(durationMs)}`;
}

export function migrated({ migrations, versionOneEvents }: Facts["migrated"]): string {
  return `  ${migrations.join(", ")} has run; ${counted(versionOneEvents, "event")} of Currency stay in the log as version 1`;
}

export function written({ ways, actors, durationMs }: Facts["written"]): string {
  const total = ways.reduce((sum, { writes }) => sum + writes, 0);
  const byWay = ways.map(({ how, writes, events }) => [
    how,
    count(writes),
    events === 0 ? styleText("dim", "none") : count(events),
  ]);
  const byActor = actors.map(({ actor, create, update, destroy }) => [actor, ...[create, update, destroy].map(count)]);
  return [
    `  ${counted(total, "write")} in ${seconds(durationMs)}`,
    table(["way", "writes", "events"], byWay, { right: ["writes", "events"] }),
    "",
    table(["actor", "create", "update", "destroy"], byActor, { right: ["create", "update", "destroy"] }),
  ].join("\n");
}

/** How many kinds of statements are told one by one. */
const shapesTold = 12;

export function uncaptured({ writes, found, differing, unreported, refusal, replay }: Facts["uncaptured"]): string {
  const total = writes.reduce((sum, { count: times }) => sum + times, 0);
  const rows = writes
    .slice(0, shapesTold)
    .map(({ shape, tables, count: times }) => [count(times), shortened(tables.join(", "), 28), shortened(shape, 70)]);
  const more = writes.length - rows.length;
  const { missing, unexpected, different } = found.counts;
  const entities = Object.entries(differing).map(([entity, number]) => `${entity} ${count(number)}`);
  const { inserted, updated, deleted } = replay.rows;
  return [
    `  ${counted(total, "write")} in ${counted(writes.length, "kind")} of statement: by criteria, by builders, by SQL, by the database itself`,
    table(["times", "of", "statement"], rows, { right: ["times"] }),
    ...(more > 0 ? [styleText("dim", `  and ${counted(more, "kind")} more`)] : []),
    "",
    `  verify() finds them: ${count(different)} rows differ, ${count(unexpected)} are unknown to the log, ${count(missing)} are gone`,
    styleText("dim", `  ${entities.join(", ")}`),
    `  ${unreported.length === 0 ? styleText("green", "✓ none of an entity of which nothing was reported") : styleText("red", `✗ not reported: ${unreported.join(", ")}`)}`,
    "  What was not recorded cannot be brought back, nor can the log's end be replayed: " +
      (refusal ?? "it would take these writes back"),
    `  Back to the import, which was made by save alone: ${counted(updated, "row")} updated, ${count(deleted)} deleted, ${count(inserted)} inserted.`,
    "  Trigger capture, the default, records all of these writes.",
  ].join("\n");
}

export function requests({ lastEvents }: Facts["requests"]): string {
  const rows = lastEvents.map((event) => [
    styleText("dim", String(event.position)),
    who(event),
    deed(event),
    record(event),
    change(event, 24),
    shortened(why(event), 30),
  ]);
  return table(["position", "who", "what", "record", "change", "why"], rows, { right: ["position"] });
}

/** How many columns of a new row are told one by one. */
const told = 3;

export function history({ name, events }: Facts["history"]): string {
  const lines = events.flatMap((event) => [
    `  ${styleText("dim", String(event.position).padStart(5))}  ${deed(event)} by ${who(event)}: ${why(event)}`,
    ...(event.action === "update" ? changedColumns(event) : newColumns(event)).map((line) => `         ${line}`),
  ]);
  return [`  ${name}`, ...lines].join("\n");
}

function newColumns({ data }: RecordedEvent): string[] {
  const columns = Object.entries(data).map(([name, after]) => `${name}: ${value(after)}`);
  const rest = columns.length > told ? ` and ${columns.length - told} columns more` : "";
  return [`${styleText("green", columns.slice(0, told).join(", "))}${styleText("dim", rest)}`];
}

function changedColumns({ data, previous }: RecordedEvent): string[] {
  return Object.keys(data).map((name) => {
    const [before, after] = [styleText("red", value(previous[name])), styleText("green", value(data[name]))];
    return `${name}: ${before} → ${after}`;
  });
}

export function sensitive({ updates, leaks }: Facts["sensitive"]): string {
  const last = updates.at(-1);
  const example = last === undefined ? "" : `, such as ${record(last)}: ${JSON.stringify(last.data)}`;
  return [
    `  ${counted(updates.length, "update")} of a contact's e-mail address${example}`,
    `  ${counted(leaks, "event")} in which an address can be read; a replay brings all of them back`,
  ].join("\n");
}

export function versions({ old }: Facts["versions"]): string {
  const rows = old.map(({ event, handler, today }) => [
    String(event.position),
    event.action,
    JSON.stringify(event.data),
    handler,
    JSON.stringify(today),
  ]);
  return table(["position", "action", "stored, version 1", "by", "replayed, version 2"], rows, { right: ["position"] });
}

function who({ actor }: RecordedEvent): string {
  return actor?.name ?? "nobody";
}

/** The reason and ticket that the application put into the request context's metadata. */
function why({ metadata }: RecordedEvent): string {
  const { reason, ticket } = metadata;
  return typeof ticket === "string" ? `${ticket} ${value(reason)}` : value(reason);
}
