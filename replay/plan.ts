import type { DataSource } from "typeorm";
import { type Attachment, attachmentOf } from "../src/core/attachment.js";
import { EventLogError } from "../src/core/errors.js";
import { numberOf, type Session } from "../src/core/session.js";
import { quoteLiteral, raw, sql, type Statement } from "../src/core/sql.js";
import type { Action } from "../src/core/tracked.js";
import { type Cut, inCut } from "../src/log/cut.js";
import { type EntityReference, namesOf, trackedNameOf, trackedTables } from "../src/log/tracked-tables.js";
import type { CheckedHandlers, Override, Upcaster } from "./handlers.js";

/** How the events of one kind are replayed. */
export interface PlannedKind {
  readonly entity: string;
  readonly action: Action;
  readonly version: number;
  readonly actionName: string | null;
  readonly events: number;
  readonly handler: "direct" | "upcast" | "override" | "audit only";
}

export interface Plan {
  readonly kinds: readonly PlannedKind[];
  /** SQL over an event \`e\`: whether a handler takes it; empty where none does. */
  readonly handled: string;
  readonly overrides: readonly NamedHandler<Override>[];
  readonly upcasters: readonly NamedHandler<Upcaster>[];
  /** The version that data is brought to, by tracked name and action. */
  readonly current: ReadonlyMap<string, Readonly<Record<Action, number>>>;
}

export type NamedHandler<T> = T & { readonly name: string };

/**
 * How each stored kind of event is replayed up to a cut; nothing is written before every one has a way.
 * Throws REPLAY_VERSION_UNHANDLED with the list of those that have none.
 */
export async function makePlan(
  session: Session,
  dataSource: DataSource,
  cut: Cut,
  /** SQL over an event `e`: only these are replayed. (Default: all) */
  only: Statement = sql`true`,
): Promise<Plan> {
  const attachment = attachmentOf(dataSource);
  const current = new Map<string, Readonly<Record<Action, number>>>();
  const renamed = new Map<string, string>();
  const auditOnly = new Set<string>();
  for (const table of trackedTables(dataSource)) {
    for (const { entity, formerly, versions } of namesOf(table)) {
      current.set(entity, versions);
      if (table.auditOnly) auditOnly.add(entity);
      for (const former of formerly) renamed.set(former, entity);
    }
  }
  const { overrides, upcasters } = handlersOf(dataSource, attachment, renamed);
  const rows = await session.rows(sql`
    select entity, action, version, action_name, count(*) as events
    from ${raw(attachment.schema)}.event e where ${inCut(cut)} and ${only}
    group by entity, action, version, action_name order by entity, action, version`);
  const kinds: PlannedKind[] = [];
  const unhandled: string[] = [];
  let gone = false;
  for (const row of rows) {
    const stored = row.entity ?? "";
    const entity = renamed.get(stored) ?? stored;
    const kind = {
      entity: stored,
      action: row.action as Action,
      version: Number(row.version),
      actionName: row.action_name ?? null,
      events: numberOf(row, "events"),
    };
    const handler = auditOnly.has(entity) ? "audit only" : wayOf({ ...kind, entity }, current, overrides, upcasters);
    if (handler === undefined) {
      gone ||= !current.has(entity);
      unhandled.push(
        `${kind.events} ${stored} ${kind.action} of version ${kind.version} (today's: ${current.get(entity)?.[kind.action] ?? "no such entity"})`,
      );
    } else kinds.push({ ...kind, handler });
  }
  if (unhandled.length > 0) {
    throw new EventLogError(
      "REPLAY_VERSION_UNHANDLED",
      `There is no way to today's shape for ${unhandled.join("; ")}.`,
      {
        hint: gone
          ? "Where the class was renamed, say so with @Tracked({ formerly: [...] }); where it is gone, give an override its name as a string."
          : undefined,
        details: { unhandled },
      },
    );
  }
  return { kinds, handled: handledSql(kinds), overrides, upcasters, current };
}

export function overrideOf(
  { overrides }: Pick<Plan, "overrides">,
  kind: { entity: string; action: Action; version: number; actionName: string | null },
) {
  const fits = overrides.filter(
    ({ name, action, versions, actionName }) =>
      name === kind.entity &&
      action === kind.action &&
      versions.includes(kind.version) &&
      (actionName === undefined || actionName === kind.actionName),
  );
  return fits.find(({ actionName }) => actionName !== undefined) ?? fits[0];
}

function wayOf(
  kind: { entity: string; action: Action; version: number; actionName: string | null },
  current: Plan["current"],
  overrides: Plan["overrides"],
  upcasters: Plan["upcasters"],
): PlannedKind["handler"] | undefined {
  if (overrideOf({ overrides }, kind) !== undefined) return "override";
  const wanted = current.get(kind.entity)?.[kind.action];
  if (wanted === undefined) return undefined;
  if (kind.action === "destroy" || kind.version === wanted) return "direct";
  for (let version = kind.version; version < wanted; version++) {
    if (!upcasters.some(({ name, action, from }) => name === kind.entity && action === kind.action && from === version))
      return undefined;
  }
  return kind.version < wanted ? "upcast" : undefined;
}

function handlersOf(dataSource: DataSource, { replay }: Attachment, renamed: ReadonlyMap<string, string>) {
  const { overrides, upcasters } = replay as CheckedHandlers;
  const named = <T extends { entity: EntityReference }>(handler: T): NamedHandler<T> => ({
    ...handler,
    name:
      typeof handler.entity === "string"
        ? (renamed.get(handler.entity) ?? handler.entity)
        : trackedNameOf(dataSource, handler.entity),
  });
  return { overrides: overrides.map(named), upcasters: upcasters.map(named) };
}

function handledSql(kinds: readonly PlannedKind[]): string {
  return kinds
    .filter(({ handler }) => handler === "upcast" || handler === "override")
    .map(
      ({ entity, action, version, actionName }) =>
        `(e.entity = ${quoteLiteral(entity)} and e.action = ${quoteLiteral(action)} and e.version = ${version} and e.action_name is not distinct from ${actionName === null ? "null" : quoteLiteral(actionName)})`,
    )
    .join(" or ");
}
