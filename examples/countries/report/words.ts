import type { RecordedEvent } from "../../../src/index.js";

const whole = new Intl.NumberFormat("en");

export function count(number: number | bigint): string {
  return whole.format(number);
}

/** 3 notes, 1 note. */
export function counted(number: number | bigint, one: string, many = `${one}s`): string {
  return `${count(number)} ${Number(number) === 1 ? one : many}`;
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`;
}

/** A value as a reader expects to see it: text bare, nothing as ∅. */
export function value(given: unknown): string {
  if (given === null || given === undefined) return "∅";
  return typeof given === "string" ? given : JSON.stringify(given);
}

/** Country HMD, Country.borders LKA IND. */
export function record({ entity, recordId }: { readonly entity: string; readonly recordId: object }): string {
  return [entity, ...Object.values(recordId).map(value)].join(" ");
}

/** What was done, in the application's word for it or in the log's. */
export function deed({ action, actionName, origin }: RecordedEvent): string {
  return actionName ?? (origin === "capture" ? action : origin);
}

/** capital: ∅ → Bern. A row that is new or gone is told by its columns beside the key. */
export function change(event: RecordedEvent, length: number): string {
  const { action, data, previous, recordId } = event;
  const columns = Object.keys(action === "destroy" ? previous : data).filter((name) => !(name in recordId));
  const parts = columns.map((name) => {
    if (action === "update") return `${name}: ${value(previous[name])} → ${value(data[name])}`;
    return `${name}: ${value((action === "create" ? data : previous)[name])}`;
  });
  return shortened(parts.join(", "), length);
}
