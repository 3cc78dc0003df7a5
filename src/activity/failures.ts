import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { checkOptions, type OptionsOf, section, value } from "../core/option-checker.js";
import { positive, text } from "../core/option-kinds.js";
import { asReader } from "../core/rights.js";
import { numberOf, withPooledSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { endpointOf, keptAddress, sourceOf } from "./address.js";
import { recorderOf } from "./lifecycle.js";
import { type ActivityFilter, filterOptions } from "./search.js";

export interface FailuresOptions {
  readonly subject?: string | undefined;
  readonly actor?: ActivityFilter["actor"];
  readonly ip?: string | undefined;
  /** The framework's request: counts by its address as it is recorded, behind trusted proxies too. */
  readonly request?: object | undefined;
  /** (Default: 300) */
  readonly windowSeconds?: number | undefined;
}

const failuresOptions = section({
  subject: text("a subject"),
  actor: filterOptions.actor,
  ip: filterOptions.ip,
  request: value("the request object", (given) => typeof given === "object" && given !== null),
  windowSeconds: positive("seconds", 31_536_000_000).byDefault(300),
} satisfies OptionsOf<FailuresOptions>).also(({ subject, actor, ip, request }, wrong) => {
  if (subject === undefined && actor === undefined && ip === undefined && request === undefined)
    wrong("subject", "given, or actor, ip or request", subject);
});

/**
 * How many sign-ins failed in the last seconds, of all that is given: for a check before the next one. What still waits in this
 * process is counted; what front ends say is not. The address is compared as it is kept, an IPv6
 * address by its /64.
 */
export async function failures(dataSource: DataSource, given: FailuresOptions): Promise<number> {
  const { subject, actor, ip, request, windowSeconds } = checkOptions("failures", given, failuresOptions);
  const { options, maker } = recorderOf(dataSource);
  if ((ip !== undefined || request !== undefined) && options.ipPrivacy === "exclude")
    throw new EventLogError(
      "OPTIONS_INVALID",
      'failures: addresses are not kept (ipPrivacy "exclude"), so nothing can be counted by them.',
    );
  const addresses: string[] = [];
  if (ip !== undefined) {
    const endpoint = endpointOf(ip);
    if (endpoint === null)
      throw new EventLogError("OPTIONS_INVALID", `failures: expected ip to be an address, got: ${ip}.`);
    addresses.push(sourceOf(keptAddress(endpoint.ip, options) ?? ""));
  }
  if (request !== undefined) addresses.push(sourceOf(maker.addressOf(request) ?? ""));
  await recorderOf(dataSource).flushDatabase();
  const { schema } = attachmentOf(dataSource);
  const since = new Date(Date.now() - windowSeconds * 1000);
  const { type = null, id } = typeof actor === "object" ? actor : { id: actor };
  const row = await asReader(
    dataSource,
    withPooledSession(dataSource, (session) =>
      session.row(sql`
        select ${raw(schema)}.activity_failures(${options.signInActions}, ${since}, ${subject ?? null}, ${type},
          ${id === undefined ? null : String(id)}, ${addresses.length === 0 ? null : addresses}) as failures`),
    ),
  );
  return numberOf(row, "failures");
}
