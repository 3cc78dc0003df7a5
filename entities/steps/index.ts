import { tables } from "./001-tables.js";
import { activity } from "./002-activity.js";
import { cheaperCapture } from "./003-cheaper-capture.js";
import { activityWriters } from "./004-activity-writers.js";
import { finerOrder } from "./005-finer-order.js";
import { partitions } from "./006-partitions.js";
import { schemaHistory } from "./007-schema-history.js";
import { rights } from "./008-rights.js";
import { signedContexts } from "./009-signed-contexts.js";
import { lockTimeout } from "./010-lock-timeout.js";
import { acceptedOwners } from "./011-accepted-owners.js";

/**
 * Our own numbered versions of the tables: taken in order, each once, and never changed once anybody has taken them.
 */
export const steps: readonly { readonly number: number; readonly sql: (schema: string) => string }[] = [
  { number: 1, sql: tables },
  { number: 2, sql: activity },
  { number: 3, sql: cheaperCapture },
  { number: 4, sql: activityWriters },
  { number: 5, sql: finerOrder },
  { number: 6, sql: partitions },
  { number: 7, sql: schemaHistory },
  { number: 8, sql: rights },
  { number: 9, sql: signedContexts },
  { number: 10, sql: lockTimeout },
  { number: 11, sql: acceptedOwners },
];

export const latestStep = steps.length;
