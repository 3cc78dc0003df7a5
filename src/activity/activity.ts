import type { Writable } from "node:stream";
import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { adminHandler, type AdminHandlerOptions } from "./admin-handler.js";
import { audit, type AuditInput } from "./audit.js";
import { type ActivityCheck, check } from "./check.js";
import { cleanup, type CleanupOptions, type CleanupReport } from "./cleanup.js";
import { clientHandler } from "./client-handler.js";
import type { ActivityEntry, ActivityInput, RecordNowInput } from "./entry.js";
import { exportActivity, type ExportOptions } from "./export.js";
import { failures, type FailuresOptions } from "./failures.js";
import type { Handler } from "./handler.js";
import { recorderOf } from "./lifecycle.js";
import { search, type SearchOptions } from "./search.js";
import { type ActivityStats, type ActivitySummary, stats, summary } from "./summary.js";

/** What people did or tried. Every member may be destructured. */
export interface Activity {
  /** Records, in the background: never throws, never waits. */
  record(action: string, entry?: ActivityInput): void;
  /** Records at once, outside any transaction or in that of `within`; undefined where the options leave the action out. */
  recordNow(action: string, entry?: RecordNowInput): Promise<ActivityEntry | undefined>;
  /** Runs work and records how it ended. */
  audit<T>(action: string, entry: AuditInput, work: () => T | Promise<T>): Promise<T>;
  /** Newest first, in pages by key. */
  search(options?: SearchOptions): AsyncIterable<ActivityEntry>;
  /** To a file or a stream: all that match. */
  export(target: string | Writable, options?: ExportOptions): Promise<{ entries: number }>;
  cleanup(options: CleanupOptions): Promise<CleanupReport>;
  /** (Default: the last 24 hours) */
  summary(options?: { hours?: number | undefined }): Promise<ActivitySummary>;
  stats(): Promise<ActivityStats>;
  /** How many sign-ins failed lately, for a check before the next one. */
  failures(options: FailuresOptions): Promise<number>;
  /** Writes all that waits; false where a sink failed and its entries go on waiting. */
  flush(): Promise<boolean>;
  /** Starts new files, in file sinks. */
  rotate(): Promise<void>;
  /** What is recorded and how, and what is wrong with it. */
  check(): Promise<ActivityCheck>;
  /** For the browser's own actions. */
  clientHandler(): Handler;
  /** For reading, exporting and cleaning up over HTTP. */
  adminHandler(options?: AdminHandlerOptions): Handler;
}

const handles = new WeakMap<DataSource, Activity>();

/** The activity log of a DataSource; the same object each time. */
export function activityOf(dataSource: DataSource): Activity {
  const known = handles.get(dataSource);
  if (known !== undefined) return known;
  attachmentOf(dataSource);
  const recorder = recorderOf(dataSource);
  const handle = Object.freeze<Activity>({
    record: (action, entry) => recorder.record(action, entry),
    recordNow: (action, entry) => recorder.recordNow(action, entry),
    audit: (action, entry, work) => audit(recorder, action, entry, work),
    search: (options) => search(dataSource, options),
    export: (target, options) => exportActivity(dataSource, target, options),
    cleanup: (options) => cleanup(dataSource, options),
    summary: (options) => summary(dataSource, options),
    stats: () => stats(dataSource),
    failures: (options) => failures(dataSource, options),
    flush: () => recorder.flush(),
    rotate: async () => {
      for (const { sink } of recorder.lanes) await sink.rotate?.();
    },
    check: () => check(dataSource),
    clientHandler: () => clientHandler(recorder),
    adminHandler: (options) => adminHandler(dataSource, options),
  });
  handles.set(dataSource, handle);
  return handle;
}
