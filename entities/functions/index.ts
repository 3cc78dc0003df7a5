import { recordKeyOf } from "./record-key-of.sql.js";
import { tableNames } from "./table-names.sql.js";
import { activityCleanup, activityDue, activityEnds } from "./activity-cleanup.sql.js";
import { activityFailures } from "./activity-failures.sql.js";
import { activityWriter, activityWriters, takeLostWriters } from "./activity-writers.sql.js";
import { aboutTime } from "./about-time.sql.js";
import { append } from "./append.sql.js";
import { aroundTime } from "./around-time.sql.js";
import { captureFunction } from "./capture-function.sql.js";
import { captureRows } from "./capture-rows.sql.js";
import { captureStatement } from "./capture-statement.sql.js";
import { columnImageSql, isTextSql, outputSql } from "./column-image-sql.sql.js";
import { baseTypeOf, columnKind } from "./column-kind.sql.js";
import { columns } from "./columns.sql.js";
import { columnsHash, labelsHash, labelsNow } from "./columns-hash.sql.js";
import { columnsNow, enumOf } from "./columns-now.sql.js";
import { context, contextSet, readContext, sentContext } from "./context.sql.js";
import { digitsAsText } from "./digits-as-text.sql.js";
import { fallAsleep } from "./fall-asleep.sql.js";
import { erasedColumns } from "./erased-columns.sql.js";
import { flush } from "./flush.sql.js";
import { flushFunction } from "./flush-function.sql.js";
import { flushStatement } from "./flush-statement.sql.js";
import { imageSql } from "./image-sql.sql.js";
import { areOwn, isOwn, isReadable, isTrusted } from "./is-trusted.sql.js";
import { isPartOf, strayTriggers } from "./is-part-of.sql.js";
import { lastLife } from "./last-life.sql.js";
import { level } from "./level.sql.js";
import { liveRow } from "./live-row.sql.js";
import { lockLog } from "./lock-log.sql.js";
import { lockWithin } from "./lock-within.sql.js";
import { markCommit } from "./mark-commit.sql.js";
import { merge } from "./merge.sql.js";
import { names } from "./names.sql.js";
import { numberAsText } from "./number-as-text.sql.js";
import { putCommitMarker } from "./put-commit-marker.sql.js";
import { putTriggers } from "./put-triggers.sql.js";
import { recordKey } from "./record-key.sql.js";
import { raiseAlerts } from "./raise-alerts.sql.js";
import { recordActivity } from "./record-activity.sql.js";
import { putGuards, refuseChange } from "./refuse-change.sql.js";
import { refuseHiddenRows } from "./refuse-hidden-rows.sql.js";
import { refuseOldSnapshot } from "./refuse-old-snapshot.sql.js";
import { refuseSize } from "./refuse-size.sql.js";
import { refuseCourse } from "./refuse-course.sql.js";
import { sourceOf } from "./source-of.sql.js";
import { settleCommit } from "./settle-commit.sql.js";
import { relabelled } from "./relabelled.sql.js";
import { sameLabels, shapeCheck } from "./shape-check.sql.js";
import { tableName } from "./table-name.sql.js";
import {
  asItIs,
  describe,
  isFollowed,
  labelsOf,
  noteShape,
  renamedSql,
  shapeHash,
  storageOf,
} from "./table-shape.sql.js";
import { tailPositions } from "./tail-positions.sql.js";
import { textSize } from "./text-size.sql.js";
import { torn } from "./torn.sql.js";
import { track } from "./track.sql.js";
import { readSigned, trySignature, unbelievedContext } from "./read-signed.sql.js";
import { refuseRecord, refuseStray, uncastable } from "./uncastable.sql.js";
import { unfitTriggers } from "./unfit-triggers.sql.js";
import { differsSql, singleUpdateEffect, updateEffects } from "./update-effects.sql.js";
import { wakeTails } from "./wake-tails.sql.js";

/** Every SQL function of the log, in the order in which they need one another; each may be made again at any time. */
export const functions: readonly ((schema: string) => string)[] = [
  isTrusted,
  isReadable,
  areOwn,
  isOwn,
  names,
  tableName,
  columnKind,
  baseTypeOf,
  columns,
  isTextSql,
  outputSql,
  columnImageSql,
  columnsNow,
  enumOf,
  imageSql,
  columnsHash,
  labelsNow,
  labelsHash,
  labelsOf,
  noteShape,
  renamedSql,
  asItIs,
  shapeHash,
  describe,
  storageOf,
  isFollowed,
  sameLabels,
  wakeTails,
  textSize,
  contextSet,
  sentContext,
  readContext,
  unbelievedContext,
  readSigned,
  trySignature,
  context,
  recordKey,
  recordKeyOf,
  tableNames,
  numberAsText,
  digitsAsText,
  relabelled,
  refuseSize,
  refuseOldSnapshot,
  refuseHiddenRows,
  flushStatement,
  liveRow,
  differsSql,
  updateEffects,
  singleUpdateEffect,
  captureStatement,
  shapeCheck,
  level,
  isPartOf,
  strayTriggers,
  captureRows,
  captureFunction,
  unfitTriggers,
  putTriggers,
  track,
  append,
  merge,
  lastLife,
  erasedColumns,
  lockWithin,
  lockLog,
  flushFunction,
  flush,
  refuseChange,
  putGuards,
  activityEnds,
  sourceOf,
  activityDue,
  activityCleanup,
  activityFailures,
  activityWriter,
  activityWriters,
  takeLostWriters,
  recordActivity,
  raiseAlerts,
  fallAsleep,
  refuseCourse,
  refuseRecord,
  refuseStray,
  uncastable,
  aboutTime,
  aroundTime,
  torn,
  markCommit,
  settleCommit,
  putCommitMarker,
  tailPositions,
];
