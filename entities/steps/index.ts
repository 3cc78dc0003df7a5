import { tables } from "./001-tables.js";
import { activity } from "./002-activity.js";

/** Our own numbered versions of the tables: taken in order, each once, never changed after a release. */
export const steps: readonly { readonly number: number; readonly sql: (schema: string) => string }[] = [
  { number: 1, sql: tables },
  { number: 2, sql: activity },
];

export const latestStep = 2;
