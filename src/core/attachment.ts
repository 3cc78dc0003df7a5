import type { DataSource, DataSourceOptions } from "typeorm";
import { EventLogError } from "./errors.js";
import { show } from "./option-checker.js";
import type { CheckedOptions } from "./options.js";
import type { PgClientClass } from "./pg-client.js";
import { quoteIdentifier } from "./sql.js";
import { UncapturedWrites } from "./uncaptured-writes.js";

/** The way from a pg Client, which TypeORM makes without telling for whom, to the DataSource that uses it. */
export interface Link {
  dataSource?: DataSource;
  readonly uncaptured: UncapturedWrites;
  /** The shape of each table's class when this process first saw it, by the table's name in the log. */
  readonly shapes: Map<string, string>;
}

export function newLink(): Link {
  return { uncaptured: new UncapturedWrites(), shapes: new Map() };
}

/** What withEventLog left on a DataSource's options, for everything that works on that DataSource. */
export interface Attachment {
  readonly options: CheckedOptions;
  /** The log's schema, quoted for SQL. */
  readonly schema: string;
  /** The `replay` option; its shape is the replay room's business. */
  readonly replay: unknown;
  /** The `activity` option; its shape is the activity room's business. */
  readonly activity: unknown;
  /** How long the activity log is kept at least, in days; null for ever. */
  readonly activityRetentionDays: number | null;
  readonly link: Link;
  /** pg's Client, or the application's own, without what the library adds to it. */
  readonly Client: PgClientClass;
}

/**
 * A symbol of the global registry, so that it is found when frameworks copy the options, and across copies of this
 * package.
 */
const key = Symbol.for("typeorm-chronicle");

export function attach<T extends DataSourceOptions>(
  dataSourceOptions: T,
  options: CheckedOptions,
  rooms: Omit<Attachment, "options" | "schema">,
): T {
  const attachment: Attachment = Object.freeze({ options, schema: quoteIdentifier(options.schema), ...rooms });
  return { ...dataSourceOptions, [key]: attachment };
}

/** The options without what withEventLog left on them, for a DataSource that records nothing. */
export function detached<T extends DataSourceOptions>(dataSourceOptions: T): T {
  const { [key]: _, ...rest } = dataSourceOptions as T & { [key]?: Attachment };
  return rest as unknown as T;
}

export function isAttached(dataSourceOptions: object): boolean {
  return key in dataSourceOptions;
}

/**
 * What withEventLog left on it; the DataSource is known to its Clients from then on. Throws NOT_ATTACHED for a
 * DataSource that was not made with withEventLog.
 */
export function attachmentOf(dataSource: DataSource): Attachment {
  const attachment = ((dataSource as DataSource | null | undefined)?.options as { [key]?: Attachment } | undefined)?.[
    key
  ];
  if (attachment === undefined) {
    if (typeof dataSource !== "object" || dataSource === null)
      throw new EventLogError("NOT_ATTACHED", `Expected a DataSource, got: ${show(dataSource)}.`);
    throw new EventLogError("NOT_ATTACHED", "This DataSource records nothing: it was not made with withEventLog.", {
      hint: "Change `new DataSource(options)` to `new DataSource(withEventLog(options))`.",
    });
  }
  attachment.link.dataSource = dataSource;
  return attachment;
}
