import type { EntityManager } from "typeorm";
import { EventLogError } from "../src/core/errors.js";
import { refuseUnknownOptions } from "../src/core/options.js";
import { type Action, actions } from "../src/core/tracked.js";
import type { RecordedEvent } from "../src/log/event.js";
import type { RecordId } from "../src/log/record-id.js";
import { type EntityReference, refuseNoEntity } from "../src/log/tracked-tables.js";

/** A row as columns, spelled as the database spells them. */
export type Row = Record<string, unknown>;

/** Turns the data of one version into that of the next; pure. For an update it gets only the columns that changed. */
export type Upcast = (data: Row) => Row;

/** What an override writes through, and reads from, as of its event. */
export interface ReplayState {
  create(entity: EntityReference, row: Row): Promise<void>;
  update(entity: EntityReference, id: RecordId, changes: Row): Promise<void>;
  destroy(entity: EntityReference, id: RecordId): Promise<void>;
  /** The record as it was when the event happened, or null. */
  find<Columns = Row>(entity: EntityReference, id: RecordId): Promise<Columns | null>;
}

/** Takes an event over: whatever it writes through `state` happens in the event's place. Must be deterministic. */
export type OverrideHandler<Columns = Row> = (
  event: RecordedEvent<Columns>,
  state: ReplayState,
) => Promise<void> | void;

export interface Upcaster {
  readonly kind: "upcaster";
  readonly entity: EntityReference;
  readonly action: Action;
  readonly from: number;
  readonly upcast: Upcast;
}

export interface Override {
  readonly kind: "override";
  readonly entity: EntityReference;
  readonly action: Action;
  readonly versions: readonly number[];
  readonly actionName: string | undefined;
  readonly handler: OverrideHandler;
}

export interface ReplayHandlers {
  readonly upcasters?: readonly Upcaster[] | undefined;
  readonly overrides?: readonly Override[] | undefined;
  /** The application's own way to empty the tables, for `replay(point, { apply: "rebuild" })`. (Default: every row is deleted) */
  readonly clear?: ((manager: EntityManager) => Promise<void>) | undefined;
}

/** The same after it was checked. */
export interface CheckedHandlers {
  readonly upcasters: readonly Upcaster[];
  readonly overrides: readonly Override[];
  readonly clear: ReplayHandlers["clear"];
}

/** An upcaster: the data of version `from` of an entity's action to that of `from + 1`. Chained up to the current version. */
export function upcast(
  entity: EntityReference,
  action: "create" | "update",
  which: { from: number },
  map: Upcast,
): Upcaster {
  refuseNoEntity(entity);
  refuseUnknownOptions("upcast", which, ["from"]);
  const { from } = which;
  if ((action as Action) === "destroy")
    throw invalid("upcast", 'action "create" or "update" (a destroy has no data)', action);
  if (!actions.includes(action)) throw invalid("upcast", 'action "create" or "update"', action);
  if (!Number.isSafeInteger(from) || from < 1) throw invalid("upcast", "from a positive version", from);
  if (typeof map !== "function") throw invalid("upcast", "a function last", typeof map);
  return Object.freeze({ kind: "upcaster", entity, action, from, upcast: map });
}

/** An override: events of these versions (and, if given, this action name) go to the handler and nowhere else. It wins over upcasters. */
export function override<Columns = Row>(
  entity: EntityReference,
  action: "create",
  which: { versions: readonly number[]; actionName?: string | undefined },
  handler: (event: RecordedEvent<Columns> & { readonly data: Columns }, state: ReplayState) => Promise<void> | void,
): Override;
export function override<Columns = Row>(
  entity: EntityReference,
  action: Action,
  which: { versions: readonly number[]; actionName?: string | undefined },
  handler: OverrideHandler<Columns>,
): Override;
export function override(
  entity: EntityReference,
  action: Action,
  which: { versions: readonly number[]; actionName?: string | undefined },
  handler: OverrideHandler,
): Override {
  refuseNoEntity(entity);
  refuseUnknownOptions("override", which, ["versions", "actionName"]);
  const { versions, actionName } = which;
  if (!actions.includes(action)) throw invalid("override", "an action (create, update, destroy)", action);
  if (
    !Array.isArray(versions) ||
    versions.length === 0 ||
    !versions.every((version) => Number.isSafeInteger(version) && version > 0)
  ) {
    throw invalid("override", "versions as a list of positive integers", versions);
  }
  if (typeof handler !== "function") throw invalid("override", "a function last", typeof handler);
  return Object.freeze({ kind: "override", entity, action, versions, actionName, handler });
}

/** What withEventLog was given as `replay`, checked. Throws OPTIONS_INVALID. */
export function checkReplayOptions(given: unknown): CheckedHandlers {
  const options = (given ?? {}) as Record<string, unknown>;
  refuseUnknownOptions("replay", options, ["upcasters", "overrides", "clear"]);
  const { clear } = options;
  if (clear !== undefined && typeof clear !== "function")
    throw invalid("replay.clear", "a function that gets a manager", typeof clear);
  return Object.freeze({
    upcasters: listOf<Upcaster>(options.upcasters, "upcaster"),
    overrides: listOf<Override>(options.overrides, "override"),
    clear: clear as CheckedHandlers["clear"],
  });
}

function listOf<T extends { kind: string }>(list: unknown, kind: T["kind"]): readonly T[] {
  const made = (item: unknown): item is T => typeof item === "object" && item !== null && (item as T).kind === kind;
  if (list === undefined) return [];
  if (!Array.isArray(list) || !list.every(made))
    throw invalid(
      `replay.${kind}s`,
      `a list of what ${kind === "override" ? "override" : "upcast"}() returns`,
      typeof list,
    );
  return Object.freeze([...list]);
}

function invalid(what: string, wanted: string, got: unknown): EventLogError {
  return new EventLogError("OPTIONS_INVALID", `${what}: expected ${wanted}, got: ${JSON.stringify(got)}.`, {
    hint: "See docs/options.md.",
  });
}
