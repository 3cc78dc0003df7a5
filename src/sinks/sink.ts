import type { ActivityEntry } from "../activity/entry.js";

/** Where entries go. Each has a queue of its own, so a slow or failing one holds up no other. */
export interface Sink {
  /** Named in statistics and gap entries. */
  readonly name: string;
  /** Throws to have the batch tried again later; `waiting` is how many entries wait behind it. */
  write(batch: readonly ActivityEntry[], waiting?: number): Promise<void>;
  /** Entries that it does not want. (Default: it wants all) */
  readonly wants?: (entry: ActivityEntry) => boolean;
  /** Whether to split the batch after this error, for one entry may be the cause of it. (Default: never) */
  readonly refuses?: (error: unknown) => boolean;
  /** Starts a new file, where it has files. */
  readonly rotate?: () => Promise<void>;
  readonly files?: () => Promise<readonly string[]>;
  readonly close?: () => Promise<void>;
}
