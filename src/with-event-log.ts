import pg from "pg";
import type { DataSourceOptions } from "typeorm";
import { attach, isAttached, newLink } from "./core/attachment.js";
import { EventLogError } from "./core/errors.js";
import { checkOptions, type Option, section, value } from "./core/option-checker.js";
import { coreOptions, type CoreOptions, refuseKeyForTriggers } from "./core/options.js";
import type { PgClientClass } from "./core/pg-client.js";
import { type ActivityOptions, activityOptions } from "./activity/options.js";
import { ActivitySubscriber } from "./activity/subscriber.js";
import { type ReplayHandlers, replayHandlers } from "../replay/handlers.js";
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

const eventLogOptions = section({
  ...coreOptions,
  replay: replayHandlers,
  activity: activityOptions,
} satisfies Record<keyof EventLogOptions, Option<unknown>>).also(refuseKeyForTriggers);

const typeormOptions = value<object>(
  "an object, as `new DataSource` takes it",
  (given) => typeof given === "object" && given !== null,
  { hint: "Pass what `new DataSource` takes, and the log's options second." },
).required();

/**
 * The options of a DataSource whose tracked entities are recorded, without any further call.
 * Entities and subscribers come in any form that TypeORM takes and leave as arrays.
 * Throws OPTIONS_INVALID and DATABASE_UNSUPPORTED.
 */
export function withEventLog<T extends DataSourceOptions>(dataSourceOptions: T, options: EventLogOptions = {}): T {
  checkOptions("withEventLog", dataSourceOptions, typeormOptions);
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
  const { replay, activity, ...core } = checkOptions("withEventLog", options, eventLogOptions);
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
        core.capture === "subscriber" ? CapturingSubscriber : ChronicleSubscriber,
        ActivitySubscriber,
      ],
      extra: { ...extra, Client: trackedClient(Client, core, link) },
    },
    Object.freeze(core),
    {
      replay,
      activity,
      activityRetentionDays: activity.retentionDays,
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
