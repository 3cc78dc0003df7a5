import { createSecretKey } from "node:crypto";
import { listOf, type OptionsOf, section, value } from "../core/option-checker.js";
import { aFunction, integer, names, oneOf, text, trueOrFalse } from "../core/option-kinds.js";
import { sinkOption, type SinkOption } from "../sinks/options.js";
import { type AlertOptions, alertOptions } from "./alert-options.js";
import { unknownNames } from "./selection.js";
import { isTrustProxy, type TrustProxy } from "./trust-proxy.js";

export interface ClientOptions {
  /** (Default: 16 384) */
  readonly maxBytes?: number | undefined;
  /** Entries of one actor or address. (Default: 60) */
  readonly perMinute?: number | undefined;
}

export type AccessAction = "read" | "export" | "cleanup";

/** The `activity` option of `withEventLog`. */
export interface ActivityOptions {
  /** (Default: true) */
  readonly enabled?: boolean | undefined;
  /** Entries wait for one another: this many, or this long. false writes each at once. (Default: 100, 10 000) */
  readonly batch?: false | { readonly size?: number | undefined; readonly intervalMs?: number | undefined } | undefined;
  /** Entries that wait at most, per sink; more are dropped and counted. (Default: 10 000) */
  readonly queue?: number | undefined;
  /** A folder in which what waits for the database survives the process. (Default: none) */
  readonly spool?: string | undefined;
  /** Write what waits on SIGTERM and SIGINT, then end. (Default: false) */
  readonly flushOnSignals?: boolean | undefined;
  /** (Default: 90) */
  readonly retentionDays?: number | "forever" | undefined;
  readonly ipPrivacy?: "none" | "hash" | "truncate" | "exclude" | undefined;
  /** The key of every keyed hash, at least 16 characters. */
  readonly ipSecret?: string | undefined;
  /** (Default: 24) */
  readonly ipv4TruncationMask?: number | undefined;
  /** (Default: 48) */
  readonly ipv6TruncationMask?: number | undefined;
  /** As Express has it: true, a number of hops, addresses, subnets, a function. (Default: false) */
  readonly trustProxy?: TrustProxy | undefined;
  /** The one header in which trusted proxies name the client: "forwarded", or one that lists addresses. (Default: "x-forwarded-for") */
  readonly proxyHeader?: string | undefined;
  /** What becomes of sensitive values. (Default: "omit") */
  readonly sensitive?: "omit" | "mask" | "hash" | undefined;
  /** Names that are kept although they look sensitive. (Default: none) */
  readonly includeFields?: readonly string[] | undefined;
  /**
   * The actions and strategies that the application has, wildcards with `*`: a name in one of the lists below that is none of them
   * is an error, one that is recorded is kept and warned of. (Default: not told, so any name may be right)
   */
  readonly actions?: readonly string[] | undefined;
  readonly strategies?: readonly string[] | undefined;
  /** Wildcards with `*`; include first, then exclude. (Default: all) */
  readonly includeActions?: readonly string[] | undefined;
  readonly excludeActions?: readonly string[] | undefined;
  readonly includeStrategies?: readonly string[] | undefined;
  readonly excludeStrategies?: readonly string[] | undefined;
  /** false keeps a resource's key as a keyed hash only. (Default: true) */
  readonly sensitiveKeys?: boolean | undefined;
  /** (Default: ["database"]) */
  readonly sinks?: readonly SinkOption[] | undefined;
  readonly alerts?: false | AlertOptions | undefined;
  /** Lets front ends record through `clientHandler()`. (Default: false) */
  readonly client?: boolean | ClientOptions | undefined;
  /** Who may read, export and clean up over HTTP. (Default: nobody) */
  readonly authorize?: ((action: AccessAction, user: unknown) => boolean | Promise<boolean>) | undefined;
}

const retention = value<number | "forever">(
  'a positive number of days or "forever"',
  (given) => given === "forever" || (Number.isFinite(given) && Number(given) > 0),
);

const secret = value<string>("at least 16 characters", (given) => typeof given === "string" && given.length >= 16, {
  isHidden: true,
});

const trustProxy = value<TrustProxy>(
  "true, false, a number of hops, addresses, subnets and the names that Express knows, or a function",
  isTrustProxy,
);

const headerName = value<string>(
  'the name of a header, such as "x-forwarded-for"',
  (given) => typeof given === "string" && /^[\w-]+$/.test(given),
);

export const activityOptions = section({
  enabled: trueOrFalse.byDefault(true),
  batch: section({
    /** entries */
    size: integer(1).byDefault(100),
    intervalMs: integer(1).byDefault(10_000),
  } satisfies OptionsOf<Exclude<NonNullable<ActivityOptions["batch"]>, false>>)
    .meaning(false, { size: 1, intervalMs: 1 })
    .byDefault({}),
  /** entries per sink */
  queue: integer(1).byDefault(10_000),
  spool: text("a folder"),
  flushOnSignals: trueOrFalse.byDefault(false),
  retentionDays: retention.byDefault(90),
  ipPrivacy: oneOf("none", "hash", "truncate", "exclude").byDefault("none"),
  ipSecret: secret,
  ipv4TruncationMask: integer(0, 32).byDefault(24),
  ipv6TruncationMask: integer(0, 128).byDefault(48),
  trustProxy: trustProxy.byDefault(false),
  proxyHeader: headerName.byDefault("x-forwarded-for"),
  sensitive: oneOf("omit", "mask", "hash").byDefault("omit"),
  includeFields: names.byDefault([]),
  actions: names,
  strategies: names,
  includeActions: names,
  excludeActions: names.byDefault([]),
  includeStrategies: names,
  excludeStrategies: names.byDefault([]),
  sensitiveKeys: trueOrFalse.byDefault(true),
  sinks: listOf("sinks", sinkOption).byDefault(["database"]),
  alerts: alertOptions,
  client: section({
    maxBytes: integer(1).byDefault(16_384),
    perMinute: integer(1).byDefault(60),
  } satisfies OptionsOf<ClientOptions>)
    .meaning(true, {})
    .orFalse()
    .byDefault(false),
  authorize: aFunction(),
} satisfies OptionsOf<ActivityOptions>)
  .also(({ ipPrivacy, sensitive, sensitiveKeys, ipSecret }, wrong) => {
    if (ipSecret === undefined && (ipPrivacy === "hash" || sensitive === "hash" || !sensitiveKeys))
      wrong("ipSecret", 'given with ipPrivacy "hash", sensitive "hash" or sensitiveKeys false', ipSecret);
  })
  .also((options, wrong) => {
    for (const { list, known, name } of unknownNames(options)) wrong(list, `made of ${known.join(", ")}`, name);
  })
  .as(({ ipSecret, retentionDays, alerts, proxyHeader, ...rest }) =>
    Object.freeze({
      ...rest,
      proxyHeader: proxyHeader.toLowerCase(),
      ...alerts,
      /** null for ever */
      retentionDays: retentionDays === "forever" ? null : retentionDays,
      /** A KeyObject shows itself to nobody, whoever prints the options. */
      secret: ipSecret === undefined ? undefined : createSecretKey(ipSecret, "utf8"),
    }),
  )
  .byDefault({});

/** Options after they were checked: defaults filled in, frozen. */
export type CheckedActivityOptions = ReturnType<typeof activityOptions.read>;
