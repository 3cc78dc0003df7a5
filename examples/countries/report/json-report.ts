import type { Facts } from "../facts.js";
import type { Report } from "./report.js";

/** One JSON document in the end, with a key per chapter. Positions are strings, as in an event's own `toJSON()`. */
export function jsonReport(print: (text: string) => void): Report {
  const facts: Partial<Facts> = {};
  return {
    progress: () => {},
    tell: (chapter, found) => void Object.assign(facts, { [chapter]: found }),
    end: () =>
      print(JSON.stringify(facts, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value), 2)),
  };
}
