import { severities, type Severity } from "../../entities/activity.js";
import type { ActivityEntry } from "../activity/entry.js";
import { type Find, onlyKeys } from "../activity/findings.js";
import { isRecord } from "../core/options.js";

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

export function checkSink(sink: unknown, at: string, find: Find): void {
  if (sink === "database" || typeof sink === "function") return;
  const { file, webhook, name, write } = isRecord(sink) ? sink : {};
  const known = ["file", "webhook", "name", "write"];
  for (const key of isRecord(sink) ? Object.keys(sink) : [])
    if (!known.includes(key)) find(at, "made of known keys", key);
  if (typeof name === "string" && typeof write === "function") return;
  if (isRecord(file)) {
    onlyKeys(file, ["folder", "rotationSizeMb", "keepDays"], `${at}.file`, find);
    if (typeof file.folder !== "string" || file.folder === "") find(`${at}.file.folder`, "a folder", file.folder);
    for (const key of ["rotationSizeMb", "keepDays"])
      if (file[key] !== undefined && !(Number.isInteger(file[key]) && Number(file[key]) > 0))
        find(`${at}.file.${key}`, "a positive integer", file[key]);
  } else if (isRecord(webhook)) {
    onlyKeys(webhook, ["url", "secret", "severity", "retries", "timeoutMs", "allowPrivate"], `${at}.webhook`, find);
    if (typeof webhook.url !== "string" || !/^https?:\/\//.test(webhook.url) || !URL.canParse(webhook.url))
      find(`${at}.webhook.url`, "an http(s) address", webhook.url);
    if (typeof webhook.secret !== "string" || webhook.secret === "")
      find(`${at}.webhook.secret`, "a secret", typeof webhook.secret);
    if (webhook.severity !== undefined && !severities.includes(webhook.severity as Severity))
      find(`${at}.webhook.severity`, severities.join(", "), webhook.severity);
    for (const key of ["retries", "timeoutMs"])
      if (webhook[key] !== undefined && !(Number.isInteger(webhook[key]) && Number(webhook[key]) >= 0))
        find(`${at}.webhook.${key}`, "a whole number from 0", webhook[key]);
  } else find(at, '"database", { file }, { webhook }, { name, write } or a function', sink);
}
