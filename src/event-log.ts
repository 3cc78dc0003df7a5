import type { DataSource, EntitySchema, ObjectLiteral, ObjectType } from "typeorm";
import { at, type AtOptions } from "../replay/at.js";
import { type Change, changes } from "../replay/changes.js";
import { replay } from "../replay/live.js";
import { reconcile, type ReconcileOptions, type ReconcileReport } from "../replay/reconcile.js";
import { recordMigrations } from "../replay/record-migrations.js";
import { retain, type RetainOptions, type RetainReport } from "../replay/retain.js";
import type { ReplayOptions } from "../replay/replay-options.js";
import type { ReplayReport } from "../replay/replay-report.js";
import { revert } from "../replay/revert.js";
import { type Shadow, shadow, type ShadowOptions } from "../replay/shadow.js";
import { verify, type VerifyOptions, type VerifyReport } from "../replay/verify.js";
import { type Activity, activityOf } from "./activity/activity.js";
import { attachmentOf } from "./core/attachment.js";
import { baseline, type BaselineOptions } from "./install/baseline.js";
import { erase, type EraseOptions, type EraseReport } from "./install/erase.js";
import { install, type InstallOptions, type InstallReport } from "./install/install.js";
import { writeMigration } from "./install/migration-file.js";
import { partition, type PartitionReport } from "./install/partition.js";
import type { SetUpOptions } from "./install/set-up.js";
import { uninstall } from "./install/uninstall.js";
import { type Bookmark, bookmark } from "./log/bookmark.js";
import type { RecordedEvent } from "./log/event.js";
import type { PointInTime } from "./log/point-in-time.js";
import { type EventFilter, events, history } from "./log/read.js";
import type { RecordId } from "./log/record-id.js";
import { check, type CheckOptions, status, type Status } from "./log/status.js";
import { tail, type TailOptions } from "./log/tail.js";
import type { TailedEvent } from "./log/tail-reader.js";
import type { EntityReference } from "./log/tracked-tables.js";

/** The log of one DataSource. Every member may be destructured. */
export interface EventLog {
  /** Sets up the log and capture, or brings them up to date; does nothing when they are. */
  install(options?: InstallOptions): Promise<InstallReport>;
  /** Takes the log away again, as long as it holds no event. */
  uninstall(options?: SetUpOptions): Promise<void>;
  /** Writes a TypeORM migration that installs the log. */
  migration(file: string): Promise<{ file: string }>;
  /** What is installed, missing or stale. */
  status(): Promise<Status>;
  /** Throws NOT_INSTALLED, INSTALL_STALE or CAPTURE_IMPAIRED; if it is strict, RIGHTS_UNEXPECTED and every warning too. */
  check(options?: CheckOptions): Promise<void>;
  /** Events by position, as they were stored. */
  events(filter?: EventFilter): AsyncIterable<RecordedEvent>;
  /** Events as they are committed; never misses or doubles one. */
  tail(options?: TailOptions): AsyncIterable<TailedEvent>;
  /** The events of one record, oldest first. */
  history<Row = Record<string, unknown>>(entity: EntityReference, id: RecordId): Promise<RecordedEvent<Row>[]>;
  /** What changed on one record between two points in time, net, in today's shape. */
  changes(
    entity: EntityReference,
    id: RecordId,
    between?: { from?: PointInTime | undefined; to?: PointInTime | undefined },
  ): Promise<Change[]>;
  /** A record, or several, as they were at a point in time. */
  at<T extends ObjectLiteral>(
    entity: ObjectType<T> | EntitySchema<T>,
    ids: readonly RecordId[],
    point: PointInTime,
    options?: AtOptions,
  ): Promise<(T | null)[]>;
  at<T extends ObjectLiteral>(
    entity: ObjectType<T> | EntitySchema<T>,
    id: RecordId,
    point: PointInTime,
    options?: AtOptions,
  ): Promise<T | null>;
  /** Names this moment, exact to the commit. */
  bookmark(name: string): Promise<Bookmark>;
  /** Makes the tables what the log says, to its end or at a point in time. */
  replay(point?: PointInTime, options?: ReplayOptions): Promise<ReplayReport>;
  /** Brings one record back to what it was, as a new event, which it returns; null where nothing differs. */
  revert<Row = Record<string, unknown>>(
    entity: EntityReference,
    id: RecordId,
    point: PointInTime,
  ): Promise<RecordedEvent<Row> | null>;
  /** The tables as they were, in another schema, beside the live ones; writers go on. */
  shadow(point?: PointInTime, options?: ShadowOptions): Promise<Shadow>;
  /** Compares the tables with what the log says; changes nothing. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /** Records every row that the log does not know yet. */
  baseline(options?: BaselineOptions): Promise<{ rows: number }>;
  /** Makes the log what the tables say: the mirror of replay. */
  reconcile(options?: ReconcileOptions): Promise<ReconcileReport>;
  /** Takes the values of a record's sensitive columns out of the log and out of its row, for good. */
  erase(entity: EntityReference, id: RecordId, options?: EraseOptions): Promise<EraseReport>;
  /** Begins a new partition of the event table, for `retain()` to drop one day. */
  partition(options?: Pick<SetUpOptions, "lockTimeoutMs">): Promise<PartitionReport>;
  /** Drops the oldest partitions behind a baseline that stands for them. */
  retain(options: RetainOptions): Promise<RetainReport>;
  /** What people did or tried: sign-ins and failures, refusals, exports, front-end actions. */
  readonly activity: Activity;
}

const logs = new WeakMap<DataSource, EventLog>();

/** The log of a DataSource made with withEventLog; the same object each time. Throws NOT_ATTACHED. */
export function eventLog(dataSource: DataSource): EventLog {
  attachmentOf(dataSource);
  const log = logs.get(dataSource) ?? logOf(dataSource);
  logs.set(dataSource, log);
  return log;
}

function logOf(dataSource: DataSource): EventLog {
  return Object.freeze<EventLog>({
    install: (options = {}) => install(dataSource, options, recordMigrations),
    uninstall: (options) => uninstall(dataSource, options),
    migration: (file) => writeMigration(file),
    status: () => status(dataSource),
    check: (options) => check(dataSource, options),
    events: (filter) => events(dataSource, filter),
    tail: (options) => tail(dataSource, options),
    history: (entity, id) => history(dataSource, entity, id),
    changes: (entity, id, between) => changes(dataSource, entity, id, between),
    at: ((entity: EntityReference, id: RecordId | readonly RecordId[], point: PointInTime, options?: AtOptions) =>
      at(dataSource, entity, id, point, options)) as EventLog["at"],
    bookmark: (name) => bookmark(dataSource, name),
    replay: (point, options) => replay(dataSource, point, options),
    revert: (entity, id, point) => revert(dataSource, entity, id, point),
    shadow: (point, options) => shadow(dataSource, point, options),
    verify: (options) => verify(dataSource, options),
    baseline: (options) => baseline(dataSource, options),
    reconcile: (options) => reconcile(dataSource, options),
    erase: (entity, id, options) => erase(dataSource, entity, id, options),
    partition: (options) => partition(dataSource, options),
    retain: (options) => retain(dataSource, options),
    activity: activityOf(dataSource),
  });
}
