import { styleText } from "node:util";
import type { Facts } from "../facts.js";
import { table } from "./table.js";
import { change, count, counted, deed, record, value } from "./words.js";

const right = styleText("green", "✓");
const wrong = styleText("red", "✗");

export function signedIn({ session, attack, alerts, summary, exported }: Facts["signedIn"]): string {
  const { entry, events } = session;
  const written = events.map((event) => `${deed(event)} ${record(event)} (${change(event, 40)})`).join(", ");
  const rows = summary.byOutcome.map(({ name, count: entries }) => [name, count(entries)]);
  return [
    `  ${entry.actor?.name ?? ""} signs in from ${value(entry.request?.ip)}; in the same request: ${written}`,
    `  ${attack.failures} wrong passwords from one address; then the check refuses ${counted(attack.refused, "attempt")} more`,
    ...alerts.map(({ details }) => {
      const what = `${value(details.alert)}: ${value(details.count)} in ${value(details.windowSeconds)} s`;
      return `  ${styleText("red", "alert")} ${what}, ${value(details.by)} ${value(details.value)}`;
    }),
    table(["outcome", "entries"], rows, { right: ["entries"] }),
    `  ${exported.leaks === 0 ? right : wrong} ${counted(exported.entries, "entry", "entries")} exported to ${exported.file}, with ${counted(exported.leaks, "password")} in them`,
  ].join("\n");
}
