import type { EntitySchema } from "typeorm";
import { checkOptions, listOf, type OptionsOf, section } from "./option-checker.js";
import { anything, integer, names, oneOf, text, trueOrFalse } from "./option-kinds.js";

export type Action = "create" | "update" | "destroy";
export const actions: readonly Action[] = ["create", "update", "destroy"];

/** How an entity is tracked. */
export interface TrackedOptions {
  /** The version of the data's shape, or one per action; raise it with the migration that changes the table. (Default: 1) */
  readonly version?: number | Readonly<Partial<Record<Action, number>>> | undefined;
  /** The name of the entity in the log. (Default: the class name) */
  readonly name?: string | undefined;
  /** Names it had before. (Default: none) */
  readonly formerly?: readonly string[] | undefined;
  /** Recorded, never cleared or replayed. (Default: false) */
  readonly auditOnly?: boolean | undefined;
  /** The actions recorded; only with `auditOnly`. (Default: all) */
  readonly actions?: readonly Action[] | undefined;
  /** Properties that are never recorded. (Default: none) */
  readonly exclude?: readonly string[] | undefined;
  /** The property that holds the tenant; it wins over the request context's. */
  readonly tenant?: string | undefined;
  /** Each load of a record is an entry of the activity log. (Default: false) */
  readonly reads?: boolean | undefined;
}

export interface SensitiveOptions {
  /** What stands in the column, as a value of the database, once it was erased and may not be null. (Default: none, so it cannot be erased) */
  readonly erased?: unknown;
}

/** The database keeps it as an integer of 32 bits. */
const version = integer(1, 2_147_483_647);

const trackedList = section({
  version: version.orObject(
    section({
      create: version.byDefault(1),
      update: version.byDefault(1),
      destroy: version.byDefault(1),
    } satisfies OptionsOf<Record<Action, number>>),
  ),
  name: text("a name"),
  formerly: names,
  auditOnly: trueOrFalse,
  actions: listOf("actions", oneOf(...actions)),
  exclude: names,
  tenant: text("a property's name"),
  reads: trueOrFalse,
} satisfies OptionsOf<TrackedOptions>).also(({ actions, auditOnly }, wrong) => {
  if (actions !== undefined && auditOnly !== true) wrong("actions", "given only with auditOnly", actions);
});

const sensitiveList = section({ erased: anything() } satisfies OptionsOf<SensitiveOptions>);

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- what TypeORM calls an entity's target
export type EntityTarget = Function;

const trackedEntities = new WeakMap<object, TrackedOptions>();
const sensitiveProperties = new WeakMap<object, Map<string, SensitiveOptions>>();

/**
 * Tracks an entity: each of its writes is recorded as a versioned event.
 * Junction and closure tables that it owns are tracked with it; children under single-table inheritance too. A class that
 * extends it inherits all but the names.
 */
export function Tracked(options: TrackedOptions = {}): ClassDecorator {
  return (target) => {
    trackedEntities.set(target, checkOptions(`@Tracked on ${target.name}`, options, trackedList));
  };
}

/** What `@Tracked` is to a class, for an EntitySchema. Returns the schema. */
export function track<T>(schema: EntitySchema<T>, options: TrackedOptions = {}): EntitySchema<T> {
  const { name, target } = schema.options;
  trackedEntities.set(target ?? schemaKey(name), checkOptions(`@Tracked on ${name}`, options, trackedList));
  return schema;
}

/** Keeps a column's values out of the log's main table and of everything that reads it. Not for keys. */
export function Sensitive(options: SensitiveOptions = {}): PropertyDecorator {
  const checked = checkOptions("@Sensitive", options, sensitiveList);
  return (prototype, property) => {
    const own = sensitiveProperties.get(prototype.constructor) ?? new Map<string, SensitiveOptions>();
    own.set(String(property), checked);
    sensitiveProperties.set(prototype.constructor, own);
  };
}

/** The options that an entity was given itself, by class, or by name for an EntitySchema without one. */
export function ownOptions(target: EntityTarget | string): TrackedOptions | undefined {
  return trackedEntities.get(typeof target === "string" ? schemaKey(target) : target);
}

/** The options of an entity; a class inherits all but the names from the one that it extends. */
export function trackedOptions(target: EntityTarget | string): TrackedOptions | undefined {
  const own = ownOptions(target);
  if (own !== undefined || typeof target === "string") return own;
  for (let parent = parentOf(target); parent; parent = parentOf(parent)) {
    const inherited = trackedEntities.get(parent);
    if (inherited !== undefined) return { ...inherited, name: undefined, formerly: undefined };
  }
  return undefined;
}

/** The `@Sensitive` options of a property, looked up through the classes that the target extends. */
export function sensitiveOptions(target: EntityTarget | string, property: string): SensitiveOptions | undefined {
  if (typeof target === "string") return undefined;
  for (let type: object | null = target; type; type = parentOf(type)) {
    const found = sensitiveProperties.get(type)?.get(property);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The version of each action, from the short form or the long one. */
export function versionsOf(options: TrackedOptions): Record<Action, number> {
  const { version = 1 } = options;
  return typeof version === "number"
    ? { create: version, update: version, destroy: version }
    : { create: version.create ?? 1, update: version.update ?? 1, destroy: version.destroy ?? 1 };
}

function parentOf(type: object): object | null {
  return Object.getPrototypeOf(type) as object | null;
}

const schemaKeys = new Map<string, object>();

function schemaKey(name: string): object {
  const key = schemaKeys.get(name) ?? {};
  schemaKeys.set(name, key);
  return key;
}
