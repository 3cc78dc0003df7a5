import pg from "pg";
import type { DataSourceOptions } from "typeorm";
import { attach, isAttached, newLink } from "./core/attachment.js";
import { EventLogError } from "./core/errors.js";
import { checkOptions, type CoreOptions, refuseNoObject } from "./core/options.js";
import type { PgClientClass } from "./core/pg-client.js";
import { type ActivityOptions, checkActivityOptions } from "./activity/options.js";
import { ActivitySubscriber } from "./activity/subscriber.js";
import { checkReplayOptions, type ReplayHandlers } from "../replay/handlers.js";
import { trackedClient } from "../subscribers/client.js";
import { CapturingSubscriber } from "../subscribers/capturing-subscriber.js";
import { ChronicleSubscriber } from "../subscribers/event-subscriber.js";

/** The second argument of `withEventLog`. */
export interface EventLogOptions extends CoreOptions {
  /** What replay needs to know: made with `override()` and `upcast()`. (Default: none) */
  readonly replay?: ReplayHandlers | undefined;
  /** What the activity log records, keeps and tells; docs/options.md. (Default: enabled) */
  readonly activity?: ActivityOptions | undefined;
}

/**
 * The options of a DataSource whose tracked entities are recorded, without any further call.
 * Entities and subscribers come in any form that TypeORM takes and leave as arrays.
 * Throws OPTIONS_INVALID and DATABASE_UNSUPPORTED.
 */
export function withEventLog<T extends DataSourceOptions>(dataSourceOptions: T, options: EventLogOptions = {}): T {
  refuseNoObject("withEventLog", dataSourceOptions, "Pass what `new DataSource` takes, and the log's options second.");
  const { type } = dataSourceOptions;
  if (type !== "postgres")
    throw new EventLogError(
      "DATABASE_UNSUPPORTED",
      `The event log needs a DataSource of type "postgres", got: "${type}".`,
    );
  if (isAttached(dataSourceOptions)) {
    throw new EventLogError("OPTIONS_INVALID", "These DataSource options went through withEventLog already.", {
      hint: "Call it once.",
    });
  }
  refuseNoObject("withEventLog", options);
  const { replay, activity, ...core } = options;
  const checked = checkOptions(core);
  const handlers = checkReplayOptions(replay);
  const checkedActivity = checkActivityOptions(activity);
  const { extra, driver, nativeDriver, entities, subscribers } = dataSourceOptions as PostgresOptions;
  const given = extra?.Client ?? driver?.Client;
  refuseNative(given, nativeDriver);
  const link = newLink();
  const Client = (given ?? pg.Client) as PgClientClass;
  return attach(
    {
      ...dataSourceOptions,
      entities: listOf(entities),
      subscribers: [
        ...listOf(subscribers),
        checked.capture === "subscriber" ? CapturingSubscriber : ChronicleSubscriber,
        ActivitySubscriber,
      ],
      extra: { ...extra, Client: trackedClient(Client, checked, link) },
    },
    checked,
    {
      replay: handlers,
      activity: checkedActivity,
      activityRetentionDays: checkedActivity.retentionDays,
      link,
      Client,
    },
  );
}

interface PostgresOptions {
  readonly extra?: { readonly Client?: unknown };
  readonly driver?: { readonly Client?: unknown };
  readonly nativeDriver?: unknown;
  readonly entities?: unknown;
  readonly subscribers?: unknown;
}

function listOf(mixed: unknown): unknown[] {
  return typeof mixed === "object" && mixed !== null ? Object.values(mixed) : [];
}

/** pg-native speaks another protocol layer: statements could not be given their context. */
function refuseNative(Client: unknown, nativeDriver: unknown): void {
  const native = Client === undefined ? undefined : (pg.native as { Client: PgClientClass } | null)?.Client;
  const isNative = native !== undefined && (Client === native || (Client as PgClientClass).prototype instanceof native);
  if (nativeDriver === undefined && !isNative) return;
  throw new EventLogError("DATABASE_UNSUPPORTED", "pg-native cannot carry the request context.", {
    hint: "Use pg's JavaScript client: leave out `nativeDriver` and the native Client.",
  });
}
