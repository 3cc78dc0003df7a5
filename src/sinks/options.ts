import { severities, type Severity } from "../../entities/activity.js";
import type { ActivityEntry } from "../activity/entry.js";
import { Option, type OptionsOf, section, value } from "../core/option-checker.js";
import { integer, oneOf, text, trueOrFalse } from "../core/option-kinds.js";

export interface FileSinkOptions {
  readonly folder: string;
  /** A file this large is closed and another begun. (Default: 100) */
  readonly rotationSizeMb?: number | undefined;
  /** (Default: 30) */
  readonly keepDays?: number | undefined;
}

export interface WebhookSinkOptions {
  readonly url: string;
  /** Of Standard Webhooks: base64, with or without `whsec_`. */
  readonly secret: string;
  /** The lowest severity sent. (Default: "warning") */
  readonly severity?: Severity | undefined;
  /** Requests beside the first, before the batch goes back to the queue. (Default: 3) */
  readonly retries?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** Allow addresses of private networks and of this machine. (Default: false) */
  readonly allowPrivate?: boolean | undefined;
}

export type SinkOption =
  | "database"
  | { readonly file: FileSinkOptions }
  | { readonly webhook: WebhookSinkOptions }
  | { readonly name: string; readonly write: (batch: readonly ActivityEntry[]) => Promise<void> }
  | ((batch: readonly ActivityEntry[]) => Promise<void>);

const fileSink = section({
  file: section({
    folder: text("a folder").required(),
    rotationSizeMb: integer(1).byDefault(100),
    keepDays: integer(1).byDefault(30),
  } satisfies OptionsOf<FileSinkOptions>),
});

const webhookSink = section({
  webhook: section({
    url: value<string>("an http(s) address", isHttp, { isHidden: true }).required(),
    secret: value<string>("a secret", (given) => typeof given === "string" && given !== "", {
      isHidden: true,
    }).required(),
    severity: oneOf(...severities).byDefault("warning"),
    retries: integer(0).byDefault(3),
    timeoutMs: integer(0).byDefault(10_000),
    allowPrivate: trueOrFalse.byDefault(false),
  } satisfies OptionsOf<WebhookSinkOptions>),
});

const ownSink = value<Exclude<SinkOption, { file: unknown } | { webhook: unknown }>>(
  '"database", { file }, { webhook }, { name, write } or a function',
  (given) => given === "database" || typeof given === "function" || isWriter(given),
).required();

export const sinkOption = new Option(ownSink.wanted, (given, at, find) => {
  const of = (key: string) => typeof given === "object" && given !== null && Object.hasOwn(given, key);
  if (of("file")) return fileSink.read(given, at, find);
  return of("webhook") ? webhookSink.read(given, at, find) : ownSink.read(given, at, find);
});

/** A sink after it was checked. */
export type CheckedSink = ReturnType<typeof sinkOption.read>;
export type CheckedFileSink = ReturnType<typeof fileSink.read>["file"];
export type CheckedWebhookSink = ReturnType<typeof webhookSink.read>["webhook"];

/** Often an object of a class, with a method `write` and fields of its own. */
function isWriter(given: unknown): boolean {
  const { name, write } = (given ?? {}) as { readonly name?: unknown; readonly write?: unknown };
  return typeof name === "string" && typeof write === "function";
}

function isHttp(given: unknown): boolean {
  return typeof given === "string" && /^https?:\/\//.test(given) && URL.canParse(given);
}
