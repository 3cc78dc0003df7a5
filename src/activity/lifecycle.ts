import type { DataSource, EntitySubscriberInterface, ObjectLiteral } from "typeorm";
import { isAttached } from "../core/attachment.js";
import { trackedOptions } from "../core/tracked.js";
import { ownCategory } from "./alerts.js";
import { keepRetention } from "./cleanup.js";
import { Recorder } from "./recorder.js";
import { findOpenTelemetry } from "./trace.js";

const hourMs = 3_600_000;
/** After the start, so that a short process never gets to it. */
const firstUpkeepMs = 1_000;
const tendMs = 10_000;
/** How long destroy() waits for sinks that do not answer. */
const farewellMs = 5_000;

const recorders = new WeakMap<DataSource, Recorder>();
const running = new WeakMap<DataSource, () => Promise<void>>();
/** For `@Audited`, which knows no DataSource. */
const inUse = new Set<DataSource>();

/** The recorder of a DataSource; the same each time. */
export function recorderOf(dataSource: DataSource): Recorder {
  const known = recorders.get(dataSource);
  if (known !== undefined) return known;
  const recorder = new Recorder(dataSource);
  recorders.set(dataSource, recorder);
  const destroy = dataSource.destroy.bind(dataSource);
  dataSource.destroy = async () => {
    await running.get(dataSource)?.();
    await destroy();
  };
  if (dataSource.isInitialized) start(dataSource);
  return recorder;
}

/** The one DataSource whose activity log runs in this process, if it is one. */
export function theOnlyOne(): DataSource | undefined {
  return inUse.size === 1 ? [...inUse][0] : undefined;
}

/** Starts what runs beside the application until destroy(): once per initialize(). */
export function start(dataSource: DataSource): void {
  if (running.has(dataSource) || !isAttached(dataSource.options)) return;
  const recorder = recorderOf(dataSource);
  if (running.has(dataSource)) return;
  const { options } = recorder;
  const timers: NodeJS.Timeout[] = [];
  const listeners: [event: string, listener: () => void][] = [];
  const listen = (event: string, listener: () => void) => {
    process.once(event, listener);
    listeners.push([event, listener]);
  };

  warnOfIncluded(recorder.maker.learn(dataSource));
  void findOpenTelemetry();
  if (!options.enabled) {
    recorder.put(recorder.maker.make("activity.disabled", { category: ownCategory, severity: "warning" }));
  }
  if (options.enabled && recorder.hasDatabase) {
    const work = () => void upkeep(dataSource, recorder).catch(() => undefined);
    timers.push(setTimeout(work, firstUpkeepMs), setInterval(work, hourMs));
  }
  const { spooled } = recorder;
  if (spooled !== undefined) {
    spooled.tend();
    timers.push(setInterval(() => spooled.tend(), tendMs));
  }
  for (const timer of timers) timer.unref();
  flushBeforeExit();
  if (options.flushOnSignals)
    for (const signal of ["SIGTERM", "SIGINT"]) listen(signal, () => void endBy(signal as "SIGTERM", recorder));
  recordReads(dataSource, recorder);

  inUse.add(dataSource);
  running.set(dataSource, async () => {
    running.delete(dataSource);
    inUse.delete(dataSource);
    for (const timer of timers) clearTimeout(timer);
    for (const [event, listener] of listeners) process.off(event, listener);
    await sayFarewell(recorder);
  });
}

/** What is done soon after the start and then hourly: telling of processes that were killed, and retention. */
async function upkeep(dataSource: DataSource, recorder: Recorder): Promise<void> {
  await recorder.connection.run((session) => recorder.tellOfLost(session));
  const { retentionDays } = recorder.options;
  if (retentionDays !== null) await keepRetention(dataSource, retentionDays);
}

let isListening = false;

/** Where a process ends for want of work, without destroy(): once, for a database that is away would keep it from ending. */
function flushBeforeExit(): void {
  if (isListening) return;
  isListening = true;
  process.once("beforeExit", () => {
    isListening = false;
    for (const dataSource of inUse) void leave(recorderOf(dataSource));
  });
}

async function leave(recorder: Recorder): Promise<void> {
  if (await recorder.flush()) await recorder.farewell();
}

async function sayFarewell(recorder: Recorder): Promise<void> {
  await inTime(leave(recorder));
  for (const lane of recorder.lanes) {
    lane.stop();
    await inTime(lane.sink.close?.() ?? Promise.resolve());
  }
  const left = recorder.lanes.filter(({ length, name }) => length > 0 && !(name === "database" && recorder.spooled));
  for (const { name, length } of left)
    warn(`${length} activity entries could not be written to the sink ${name} before the end.`);
  recorder.spooled?.close();
  recorder.connection.close();
}

/** Writes what waits, then ends the process as the signal would have, unless the application listens to it too. */
async function endBy(signal: NodeJS.Signals, recorder: Recorder): Promise<void> {
  await inTime(leave(recorder));
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

async function inTime(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, farewellMs)));
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}

function warnOfIncluded(names: readonly string[]): void {
  if (names.length > 0)
    warn(`activity.includeFields lets sensitive values into the activity log: ${names.join(", ")}.`);
}

function warn(message: string): void {
  process.emitWarning(message, { code: "CHRONICLE_ACTIVITY" });
}

/** A subscriber per entity that asks for it, so that no other entity's loads pay for it. */
function recordReads(dataSource: DataSource, recorder: Recorder): void {
  for (const metadata of dataSource.entityMetadatas) {
    if (trackedOptions(metadata.target)?.reads !== true || typeof metadata.target === "string") continue;
    const { target } = metadata;
    const subscriber: EntitySubscriberInterface<ObjectLiteral> = {
      listenTo: () => target,
      afterLoad: (entity) => {
        // A child under single-table inheritance comes to the subscribers of its parents too.
        if (entity.constructor !== target) return;
        const { name, ids } = keyOf(metadata.getEntityIdMap(entity), metadata.name);
        recorder.record("read", { category: "data", outcome: "success", resource: { type: name, key: ids } });
      },
    };
    dataSource.subscribers.push(subscriber);
  }
}

/** A single key as it is, a composite one as an object. */
function keyOf(ids: ObjectLiteral | undefined, name: string): { name: string; ids: unknown } {
  const values = Object.values(ids ?? {});
  return { name, ids: values.length === 1 ? (values[0] as unknown) : ids };
}
