export { ChronicleActivity } from "../entities/activity.js";
export type { Outcome, RequestFacts, Severity } from "../entities/activity.js";
export { ChronicleBookmark } from "../entities/bookmark.js";
export { ChronicleEvent } from "../entities/event.js";
export { origins } from "../entities/event.js";
export type { Origin } from "../entities/event.js";
export { ChronicleEventSensitive } from "../entities/event-sensitive.js";
export { ChronicleInstallation } from "../entities/installation.js";
export { ChronicleTracked } from "../entities/tracked.js";
export type { AtOptions } from "../replay/at.js";
export type { Change } from "../replay/changes.js";
export { override, upcast } from "../replay/handlers.js";
export type {
  Override,
  OverrideHandler,
  ReplayHandlers,
  ReplayState,
  Row,
  Upcast,
  Upcaster,
} from "../replay/handlers.js";

export type { PlannedKind } from "../replay/plan.js";
export type { Progress } from "../replay/progress.js";
export type { ReplayOptions } from "../replay/replay-options.js";
export type { RecordingProgress } from "./log/comparison.js";
export type { ReconcileOptions, ReconcileReport } from "../replay/reconcile.js";
export type { ReplayReport } from "../replay/replay-report.js";
export type { RetainOptions, RetainReport } from "../replay/retain.js";
export type { Shadow, ShadowOptions, ShadowReport } from "../replay/shadow.js";
export type { LeftOut } from "../replay/shadow-tables.js";
export type { Difference, VerifyOptions, VerifyReport } from "../replay/verify.js";
export type { Activity } from "./activity/activity.js";
export type { AdminHandlerOptions } from "./activity/admin-handler.js";
export type { AuditInput } from "./activity/audit.js";
export { Audited } from "./activity/audited.js";
export type { AuditedOptions } from "./activity/audited.js";
export type { ActivityCheck } from "./activity/check.js";
export type { CleanupOptions, CleanupReport } from "./activity/cleanup.js";
export type { ActivityEntry, ActivityInput, RecordNowInput } from "./activity/entry.js";
export type { ExportFormat, ExportOptions } from "./activity/export.js";
export type { FailuresOptions } from "./activity/failures.js";
export type { Handler } from "./activity/handler.js";
export type { Alert, AlertOptions, AlertRule } from "./activity/alert-options.js";
export type { AccessAction, ActivityOptions, ClientOptions } from "./activity/options.js";
export type { FileSinkOptions, SinkOption, WebhookSinkOptions } from "./sinks/options.js";
export type { ActivityFilter, SearchOptions } from "./activity/search.js";
export type { TrustProxy } from "./activity/trust-proxy.js";
export type { ActivityStats, ActivitySummary, Count } from "./activity/summary.js";
export { EventLogError, errorCodes } from "./core/errors.js";
export type { EventLogErrorCode } from "./core/errors.js";
export type { KeyFor, LockKey, NotedChange } from "./core/lock-key.js";
export type { Capture, LockMode, LockOptions, Uncaptured } from "./core/options.js";
export {
  bindRequestContext,
  enrichRequestContext,
  requestContext,
  withRequestContext,
} from "./core/request-context.js";
export type { Actor, RequestContext } from "./core/request-context.js";
export { checkReader, readRequest } from "./core/request-reader.js";
export type { RequestReader } from "./core/request-reader.js";
export { Sensitive, track, Tracked } from "./core/tracked.js";
export type { Action, SensitiveOptions, TrackedOptions } from "./core/tracked.js";
export type { UncapturedWrite } from "./core/uncaptured-writes.js";
export { eventLog } from "./event-log.js";
export type { EventLog } from "./event-log.js";
export type { BaselineOptions } from "./install/baseline.js";
export type { EraseOptions, EraseReport } from "./install/erase.js";
export type { InstallOptions, InstallReport } from "./install/install.js";
export type { PartitionReport } from "./install/partition.js";
export type { SetUpOptions } from "./install/set-up.js";
export type { Bookmark } from "./log/bookmark.js";
export type { RecordedEvent } from "./log/event.js";
export type { PointInTime } from "./log/point-in-time.js";
export type { EventFilter } from "./log/read.js";
export type { RecordId } from "./log/record-id.js";
export type { Finding } from "./log/finding.js";
export type { RecordedSchemaChange } from "./log/schema-changes.js";
export type { SchemaChangeReport } from "./log/table-shape.js";
export type { Hold, LogHolder } from "./log/log-holders.js";
export type { Status } from "./log/status.js";
export type { TailOptions } from "./log/tail.js";
export type { TailedEvent } from "./log/tail-reader.js";
export type { EntityReference } from "./log/tracked-tables.js";
export { withEventLog } from "./with-event-log.js";
export type { EventLogOptions } from "./with-event-log.js";
