import type { Session, TextRow } from "../core/session.js";
import { join, raw, sql, type Statement } from "../core/sql.js";
import type { ActivityEntry } from "./entry.js";
import type { EntryMaker } from "./entry-maker.js";
import type { Alert, AlertRule } from "./alert-options.js";
import { anyOf } from "./selection.js";
import { insertEntries } from "./table.js";

/** What the library itself records; alerts never count it. */
export const ownCategory = "activity";

const columnOf = { ip: "ip", actor: "actor_id", subject: "subject", tenant: "tenant" } as const;

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
    if (hits.length === 0) {
      await session.rows(insertEntries(schema, entries, beside));
      return [];
    }
    return session.transaction(async () => {
      await session.rows(insertEntries(schema, entries, beside));
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

  /** Whoever counts the same thing waits here until the others' entries can be seen: the last of them sees all. */
  async #raise(session: Session, schema: string, hits: readonly Hit[]): Promise<Alert[]> {
    const keys = hits.map(({ rule, value }) => JSON.stringify([schema, rule.name, value]));
    await session.rows(sql`select pg_advisory_xact_lock(lock.id) from (
      select distinct hashtextextended('typeorm-chronicle alert ' || key, 0) as id from unnest(${keys}::text[]) as k (key) order by id
    ) lock`);
    const alerts: Alert[] = [];
    for (const [rule] of this.#rules) {
      const own = hits.filter((hit) => hit.rule === rule);
      if (own.length === 0) continue;
      for (const row of await session.rows(reached(schema, rule, own))) {
        const at = new Date(Math.floor(Number(row.at_ms)));
        if (alerts.some((alert) => isSame(alert, rule, row, at))) continue;
        alerts.push(this.#alert(rule, row, at));
      }
    }
    if (alerts.length > 0)
      await session.rows(
        insertEntries(
          schema,
          alerts.map(({ entry }) => entry),
        ),
      );
    return alerts;
  }

  #alert(rule: AlertRule, row: TextRow, at: Date): Alert {
    const { name, by = null, threshold, windowSeconds } = rule;
    const value = by === null ? null : (row.value ?? "");
    const count = Number(row.count);
    const entry = this.maker.make("alert", {
      occurredAt: at,
      category: ownCategory,
      severity: "critical",
      actor: by === "actor" ? { type: row.actor_type ?? "unknown", id: value ?? "" } : null,
      subject: by === "subject" ? value : null,
      tenant: by === "tenant" ? value : null,
      request: null,
      correlationId: null,
      causationId: null,
      details: { alert: name, by, value, count, threshold, windowSeconds },
    });
    // The address is as it is kept already: by hand it would be made private twice.
    const request = by === "ip" ? { ip: value } : null;
    return { name, by, value, count, threshold, windowSeconds, entry: { ...entry, request } };
  }
}

function isSame(alert: Alert, rule: AlertRule, row: TextRow, at: Date): boolean {
  const apart = Math.abs(alert.entry.occurredAt.getTime() - at.getTime());
  return alert.name === rule.name && (alert.value ?? "") === row.value && apart < rule.windowSeconds * 1000;
}

/**
 * The hits around which the threshold is reached in a window, with the moment when it was, unless an alert tells of it already.
 * A window holds what is less than windowSeconds old: what is exactly that old has left it.
 */
function reached(schema: string, rule: AlertRule, hits: readonly Hit[]): Statement {
  const column = rule.by === undefined ? null : columnOf[rule.by];
  const json = JSON.stringify(hits.map(({ value, at }) => ({ value, at })));
  const width = sql`make_interval(secs => ${rule.windowSeconds}::double precision)`;
  const same = column === null ? sql`true` : sql`a.${raw(column)} = h.value`;
  return sql`
    select h.value, w.count, w.actor_type, extract(epoch from w.occurred_at) * 1000 as at_ms
    from (select distinct value, at from jsonb_to_recordset(${json}::jsonb) as j (value text, at timestamptz)) h
    cross join lateral (
      select * from (
        select a.occurred_at, a.actor_type, count(*) over (
          order by a.occurred_at range between make_interval(secs => ${rule.windowSeconds - 0.000001}::double precision) preceding and current row
        ) as count
        from ${raw(schema)}.activity a
        where ${conditions(rule)} and ${same} and a.occurred_at > h.at - ${width} and a.occurred_at < h.at + ${width}
      ) window_end
      where occurred_at >= h.at and count >= ${rule.threshold}
      order by occurred_at limit 1
    ) w
    where not exists (
      select from ${raw(schema)}.activity a
      where a.action = 'alert' and a.category = ${ownCategory} and a.details ->> 'alert' = ${rule.name}
      and coalesce(a.details ->> 'value', '') = h.value
      and a.occurred_at > w.occurred_at - ${width} and a.occurred_at < w.occurred_at + ${width}
    )
    order by h.at`;
}

function conditions({ filter }: AlertRule): Statement {
  const { action, ...equal } = filter;
  const parts = Object.entries(equal).flatMap(([name, value]) =>
    value === undefined ? [] : [sql`a.${raw(name)} = ${value}`],
  );
  if (action !== undefined) parts.push(actionCondition([action].flat()));
  return join([...parts, sql`a.category is distinct from ${ownCategory}`], " and ");
}

/** Plain names by the index; those with wildcards by pattern. */
export function actionCondition(patterns: readonly string[]): Statement {
  if (patterns.every((pattern) => !pattern.includes("*"))) return sql`a.action = any (${patterns}::text[])`;
  const like = patterns.map((pattern) => pattern.replaceAll(/[\\%_]/g, "\\$&").replaceAll("*", "%"));
  return sql`a.action like any (${like}::text[])`;
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
      return request?.ip ?? null;
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
