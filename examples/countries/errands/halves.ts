import { currencyErrands } from "./currencies.js";
import type { Errand } from "./errand.js";
import { nativeNameErrands } from "./native-names.js";
import { laterNotes, newNotes } from "./notes.js";
import { removalErrands } from "./removals.js";
import { transactionErrands } from "./transactions.js";
import { earlyNights, lateNights } from "./visits.js";

/** What happens before the middle of the story, and what after it. */
export const firstHalf: readonly Errand[] = [...nativeNameErrands, ...newNotes, ...earlyNights];
export const secondHalf: readonly Errand[] = [
  ...lateNights,
  ...laterNotes,
  ...transactionErrands,
  ...removalErrands,
  ...currencyErrands,
];
