import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { refuseUnknownOptions } from "../core/options.js";
import { asReader } from "../core/rights.js";
import { numberOf, withPooledSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { endpointOf, keptAddress } from "./address.js";
import { recorderOf } from "./lifecycle.js";
import type { ActivityFilter } from "./search.js";

export interface FailuresOptions {
  readonly subject?: string | undefined;
  readonly actor?: ActivityFilter["actor"];
  readonly ip?: string | undefined;
  /** The framework's request: counts by its address as it is recorded, behind trusted proxies too. */
  readonly request?: object | undefined;
  /** (Default: 300) */
  readonly windowSeconds?: number | undefined;
}

/**
 * How many sign-ins failed in the last seconds, of all that is given: for a check before the next one. What still waits in this
 * process is counted; what front ends say is not. The address is compared as it is kept.
 */
export async function failures(dataSource: DataSource, given: FailuresOptions): Promise<number> {
  refuseUnknownOptions("failures", given, ["subject", "actor", "ip", "request", "windowSeconds"]);
  const { subject, actor, ip, request, windowSeconds = 300 } = given;
  const refuse = (message: string): never => {
    throw new EventLogError("OPTIONS_INVALID", `failures: ${message}`);
  };
  if (subject === undefined && actor === undefined && ip === undefined && request === undefined)
    refuse("expected subject, actor, ip or request.");
  if (typeof windowSeconds !== "number" || !(windowSeconds > 0))
    refuse(`expected windowSeconds to be a positive number, got: ${String(windowSeconds)}.`);
  const { options, maker } = recorderOf(dataSource);
  if ((ip !== undefined || request !== undefined) && options.ipPrivacy === "exclude")
    refuse('addresses are not kept (ipPrivacy "exclude"), so nothing can be counted by them.');
  const addresses: string[] = [];
  if (ip !== undefined) {
    const endpoint = endpointOf(ip) ?? refuse(`expected ip to be an address, got: ${String(ip)}.`);
    addresses.push(keptAddress(endpoint.ip, options) ?? "");
  }
  if (request !== undefined) addresses.push(maker.addressOf(request) ?? "");
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
