import type { EntityManager } from "typeorm";
import { checkOptions, listOf, type OptionsOf, section, value } from "../src/core/option-checker.js";
import { aFunction, integer, oneOf, text } from "../src/core/option-kinds.js";
import { type Action, actions } from "../src/core/tracked.js";
import type { RecordedEvent } from "../src/log/event.js";
import type { RecordId } from "../src/log/record-id.js";
import { entityOption, type EntityReference } from "../src/log/tracked-tables.js";

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

const version = integer(1).required();

const upcastArguments = section({
  entity: entityOption.required(),
  /** A destroy has no data. */
  action: oneOf("create", "update").required(),
  which: section({ from: version }),
  map: aFunction<Upcast>().required(),
});

/** An upcaster: the data of version `from` of an entity's action to that of `from + 1`. Chained up to the current version. */
export function upcast(
  entity: EntityReference,
  action: "create" | "update",
  which: { from: number },
  map: Upcast,
): Upcaster {
  const checked = checkOptions("upcast", { entity, action, which, map }, upcastArguments);
  return Object.freeze({ kind: "upcaster", entity, action, from: checked.which.from, upcast: map });
}

const overrideArguments = section({
  entity: entityOption.required(),
  action: oneOf(...actions).required(),
  which: section({
    versions: listOf("versions", version, { mayBeEmpty: false }).required(),
    actionName: text("an action's name"),
  }),
  handler: aFunction<OverrideHandler>().required(),
});

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
  const { versions, actionName } = checkOptions(
    "override",
    { entity, action, which, handler },
    overrideArguments,
  ).which;
  return Object.freeze({ kind: "override", entity, action, versions, actionName, handler });
}

const made = <T extends Upcaster | Override>(kind: T["kind"], by: string) =>
  value<T>(`what ${by}() returns`, (given) => (given as T | null)?.kind === kind);

/** What withEventLog takes as `replay`. */
export const replayHandlers = section({
  upcasters: listOf("upcasters", made<Upcaster>("upcaster", "upcast")).byDefault([]),
  overrides: listOf("overrides", made<Override>("override", "override")).byDefault([]),
  clear: aFunction("a function that gets a manager"),
} satisfies OptionsOf<ReplayHandlers>).byDefault({});

export type CheckedHandlers = ReturnType<typeof replayHandlers.read>;
