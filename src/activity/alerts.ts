import type { Session, TextRow } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import { sourceOf } from "./address.js";
import type { ActivityEntry } from "./entry.js";
import type { EntryMaker } from "./entry-maker.js";
import type { Alert, AlertRule } from "./alert-options.js";
import { anyOf } from "./selection.js";
import { recordEntries } from "./table.js";
import { node } from "./writer.js";

/** What the library itself records; alerts never count it. */
export const ownCategory = "activity";

interface Hit {
  readonly rule: AlertRule;
  readonly value: string;
  readonly at: Date;
}

/** Watches what is written for thresholds that are reached: exact, whatever number of processes write. */
export class Alerts {
  readonly #rules: readonly (readonly [rule: AlertRule, isCounted: (entry: ActivityEntry) => boolean])[];

  constructor(
    rules: readonly AlertRule[],
    private readonly maker: EntryMaker,
  ) {
    this.#rules = rules.map((rule) => [rule, counter(rule)]);
  }

  /** Whether any rule counts this entry: then it is written at once, so that no batch hides an attack. */
  counts(entry: ActivityEntry): boolean {
    return this.#rules.some(([, isCounted]) => isCounted(entry));
  }

  /** In one transaction: writes the entries, and an alert for each threshold that they reach. Returns the alerts. */
  async write(
    session: Session,
    schema: string,
    entries: readonly ActivityEntry[],
    beside?: Statement,
  ): Promise<Alert[]> {
    const hits = this.#hitsOf(entries);
    const written = recordEntries(schema, entries, beside);
    if (hits.length === 0) {
      await session.sendQualified(written);
      return [];
    }
    return session.transaction(async () => {
      await session.rows(written);
      return this.#raise(session, schema, hits);
    });
  }

  /** For entries that were written in a transaction of the application's, once that has ended. */
  async afterwards(session: Session, schema: string, entries: readonly ActivityEntry[]): Promise<Alert[]> {
    const hits = this.#hitsOf(entries);
    return hits.length === 0 ? [] : session.transaction(() => this.#raise(session, schema, hits));
  }

  #hitsOf(entries: readonly ActivityEntry[]): Hit[] {
    return this.#rules.flatMap(([rule, isCounted]) =>
      entries.filter(isCounted).map((entry) => ({ rule, value: valueOf(rule, entry) ?? "", at: entry.occurredAt })),
    );
  }

  async #raise(session: Session, schema: string, hits: readonly Hit[]): Promise<Alert[]> {
    const alerts: Alert[] = [];
    for (const [rule] of this.#rules) {
      const own = hits.filter((hit) => hit.rule === rule);
      if (own.length === 0) continue;
      const json = JSON.stringify(own.map(({ value, at }) => ({ value, at })));
      const raised = await session.rows(sql`
        select id, value, count, actor_type, at_ms
        from ${raw(schema)}.raise_alerts(${JSON.stringify(countedBy(rule))}::jsonb, ${json}::jsonb, ${node})`);
      alerts.push(...raised.map((row) => this.#alert(rule, row)));
    }
    return alerts;
  }

  /** The entry that the database has already, for the other sinks. */
  #alert(rule: AlertRule, row: TextRow): Alert {
    const { name, by = null, threshold, windowSeconds } = rule;
    const value = by === null ? null : (row.value ?? "");
    const count = Number(row.count);
    const entry = this.maker.make("alert", {
      occurredAt: new Date(Math.floor(Number(row.at_ms))),
      category: ownCategory,
      severity: "critical",
      actor: by === "actor" ? { type: row.actor_type ?? "unknown", id: value ?? "" } : null,
      subject: by === "subject" ? value : null,
      tenant: by === "tenant" ? value : null,
      request: null,
      correlationId: null,
      causationId: null,
      details: { alert: name, by, value, count, threshold, windowSeconds, filter: countedBy(rule).filter },
    });
    // What was counted is as it is kept already: it would be made private twice, and not be found again by its value.
    const request = by === "ip" ? { ip: value } : null;
    const details = { ...entry.details, value };
    return {
      name,
      by,
      value,
      count,
      threshold,
      windowSeconds,
      entry: { ...entry, id: row.id ?? entry.id, details, request },
    };
  }
}

/** A rule as the function raise_alerts takes it. */
function countedBy({ name, filter, by, threshold, windowSeconds }: AlertRule) {
  const { action, ...equal } = filter;
  const actions = action === undefined ? {} : { action: patternsOf([action].flat()) };
  return { name, by: by ?? null, threshold, windowSeconds, filter: { ...equal, ...actions } };
}

/** Plain names by the index; those with wildcards by pattern. */
export function actionCondition(actions: readonly string[]): Statement {
  return actions.some((action) => action.includes("*"))
    ? sql`a.action like any (${patternsOf(actions)}::text[])`
    : sql`a.action = any (${actions}::text[])`;
}

/** Names as they are; if there is a wildcard among them, all as patterns for LIKE. */
function patternsOf(actions: readonly string[]): readonly string[] {
  if (actions.every((action) => !action.includes("*"))) return actions;
  return actions.map((action) => action.replaceAll(/[\\%_]/g, "\\$&").replaceAll("*", "%"));
}

function counter({ filter, by }: AlertRule): (entry: ActivityEntry) => boolean {
  const { action, ...equal } = filter;
  const isAction = action === undefined ? () => true : anyOf([action].flat());
  const fields = Object.entries(equal).filter(([, value]) => value !== undefined) as [keyof typeof equal, string][];
  return (entry) =>
    entry.category !== ownCategory &&
    isAction(entry.action) &&
    fields.every(([name, value]) => entry[name] === value) &&
    (by === undefined || valueOf({ by }, entry) !== null);
}

function valueOf({ by }: Pick<AlertRule, "by">, { request, actor, subject, tenant }: ActivityEntry): string | null {
  switch (by) {
    case "ip":
      return request?.ip == null ? null : sourceOf(request.ip);
    case "actor":
      return actor?.id ?? null;
    case "subject":
      return subject;
    case "tenant":
      return tenant;
    case undefined:
      return null;
  }
}
