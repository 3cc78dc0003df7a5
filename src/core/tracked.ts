import type { EntitySchema } from "typeorm";
import { EventLogError } from "./errors.js";
import { isRecord, refuseUnknownOptions, show } from "./options.js";

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

// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- what TypeORM calls an entity's target
export type EntityTarget = Function;

const trackedEntities = new WeakMap<object, TrackedOptions>();
const sensitiveProperties = new WeakMap<object, Map<string, SensitiveOptions>>();

/**
 * Tracks an entity: each of its writes is recorded as a versioned event.
 * Junction and closure tables that it owns are tracked with it; children under single-table inheritance too.
 */
export function Tracked(options: TrackedOptions = {}): ClassDecorator {
  return (target) => {
    trackedEntities.set(target, checked(options, target.name));
  };
}

/** What `@Tracked` is to a class, for an EntitySchema. Returns the schema. */
export function track<T>(schema: EntitySchema<T>, options: TrackedOptions = {}): EntitySchema<T> {
  trackedEntities.set(schema.options.target ?? schemaKey(schema.options.name), checked(options, schema.options.name));
  return schema;
}

/** Keeps a column's values out of the log's main table and of everything that reads it. Not for keys. */
export function Sensitive(options: SensitiveOptions = {}): PropertyDecorator {
  refuseUnknownOptions("@Sensitive", options, ["erased"]);
  return (prototype, property) => {
    const own = sensitiveProperties.get(prototype.constructor) ?? new Map<string, SensitiveOptions>();
    own.set(String(property), options);
    sensitiveProperties.set(prototype.constructor, own);
  };
}

/** The options of an entity (by class, or by name for an EntitySchema without one); a child class inherits all but the name. */
export function trackedOptions(target: EntityTarget | string): TrackedOptions | undefined {
  if (typeof target === "string") return trackedEntities.get(schemaKey(target));
  const own = trackedEntities.get(target);
  if (own !== undefined) return own;
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

const optionKeys = ["version", "name", "formerly", "auditOnly", "actions", "exclude", "tenant", "reads"];

function checked(options: TrackedOptions, name: string): TrackedOptions {
  const fail = (what: string, wanted: string, got: unknown): never => {
    throw new EventLogError(
      "OPTIONS_INVALID",
      `@Tracked on ${name}: expected ${what} to be ${wanted}, got: ${show(got)}.`,
    );
  };
  const given: unknown = options;
  if (!isRecord(given)) return fail("its options", "an object", options);
  for (const key of Object.keys(options)) {
    if (!optionKeys.includes(key)) fail("its options", `some of ${optionKeys.join(", ")}`, key);
  }
  const { version } = options;
  if (version !== undefined && typeof version !== "number" && !isRecord(given["version"]))
    fail("version", "a positive integer, or an object with one per action", version);
  if (typeof version === "object") {
    for (const key of Object.keys(version))
      if (!actions.includes(key as Action)) fail("version", "per create, update, destroy", key);
  }
  for (const [action, number] of Object.entries(versionsOf(options))) {
    if (!Number.isSafeInteger(number) || number < 1 || number > 2_147_483_647)
      fail(`version of ${action}`, "a positive integer", number);
  }
  if (options.name !== undefined && (typeof options.name !== "string" || options.name === ""))
    fail("name", "a string", options.name);
  for (const key of ["formerly", "exclude", "actions"] as const) {
    const list = options[key];
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => typeof item === "string")))
      fail(key, "a list of strings", list);
  }
  if (options.reads !== undefined && typeof options.reads !== "boolean") fail("reads", "true or false", options.reads);
  if (options.auditOnly !== undefined && typeof options.auditOnly !== "boolean")
    fail("auditOnly", "true or false", options.auditOnly);
  if (options.actions !== undefined) {
    if (!options.auditOnly) fail("actions", "given only with auditOnly", options.actions);
    for (const action of options.actions)
      if (!actions.includes(action)) fail("actions", "some of create, update, destroy", action);
  }
  if (options.tenant !== undefined && typeof options.tenant !== "string")
    fail("tenant", "a property's name", options.tenant);
  return Object.freeze({ ...options });
}
