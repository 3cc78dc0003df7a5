import { tables } from "./001-tables.js";

/** Our own numbered versions of the tables: taken in order, each once, never changed after a release. */
export const steps: readonly { readonly number: number; readonly sql: (schema: string) => string }[] = [
  { number: 1, sql: tables },
];

export const latestStep = 1;
