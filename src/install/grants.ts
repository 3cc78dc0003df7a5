import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { quoteIdentifier } from "../core/sql.js";

export interface Grants {
  /**
   * Roles of the application: may write tracked tables and pass the gate, may not read or write the log. (Default:
   * none)
   */
  readonly grantTo?: string | readonly string[] | undefined;
  /** Roles that may read events, bookmarks and what is tracked, but no sensitive columns. (Default: none) */
  readonly grantReadTo?: string | readonly string[] | undefined;
}

/**
 * Takes the log from everyone, and gives the roles named what they need of it. Throws OPTIONS_INVALID for a role that
 * is none.
 */
export async function grant(session: Session, schema: string, grants: Grants): Promise<void> {
  try {
    await give(session, schema, grants);
  } catch (error) {
    if (stateOf(error) !== "42704") throw error;
    throw new EventLogError("OPTIONS_INVALID", `install: ${(error as Error).message}.`, {
      hint: "Create the role first, or correct its name in grantTo or grantReadTo.",
      cause: error,
    });
  }
}

async function give(session: Session, schema: string, { grantTo = [], grantReadTo = [] }: Grants): Promise<void> {
  const list = (roles: string | readonly string[]) => [roles].flat().map(quoteIdentifier).join(", ");
  await session.run(
    `revoke all on all tables in schema ${schema} from public; revoke all on schema ${schema} from public; revoke all on all functions in schema ${schema} from public`,
  );
  const writers = list(grantTo);
  if (writers !== "") {
    await session.run(
      `grant usage on schema ${schema} to ${writers}; grant select on ${schema}.gate, ${schema}.tracked, ${schema}.installation to ${writers};
      grant execute on function ${forStatus(schema)}, ${schema}.flush(jsonb), ${schema}.lock_log(jsonb, boolean) to ${writers};
      grant select, insert on ${schema}.activity to ${writers}; grant select, insert, update, delete on ${schema}.activity_writer to ${writers}; grant execute on function ${schema}.activity_cleanup(timestamptz, integer) to ${writers}`,
    );
  }
  const readers = list(grantReadTo);
  if (readers !== "") {
    await session.run(`grant usage on schema ${schema} to ${readers};
      grant select on ${schema}.event, ${schema}.event_late, ${schema}.schema_change, ${schema}.activity,
        ${schema}.bookmark, ${schema}.tracked, ${schema}.installation, ${schema}.commit_marker, ${schema}.gate
      to ${readers};
      grant select, insert, update, delete on ${schema}.sleeping_tail to ${readers};
      grant execute on function ${forPoints(schema)} to ${readers};
      grant execute on function ${forStatus(schema)}, ${schema}.digits_as_text(jsonb, text[]), ${schema}.number_as_text(jsonb), ${schema}.record_key(jsonb, text[]), ${schema}.record_key_of(regclass, jsonb, text[]), ${schema}.table_names(text) to ${readers}`);
  }
}

/** What points in time and tails ask of the database. */
function forPoints(schema: string): string {
  return [
    "about_time(timestamptz)",
    "around_time(bigint, timestamptz, timestamptz)",
    "torn(bigint, smallint, xid8)",
    "tail_positions(smallint, bigint, bigint, bigint, pg_snapshot, integer)",
  ]
    .map((name) => `${schema}.${name}`)
    .join(", ");
}

/** What `status()` asks of the database. */
function forStatus(schema: string): string {
  return [
    "table_name(oid)",
    "columns(regclass)",
    "column_kind(oid)",
    "level_of(regclass)",
    "row_by_row(regclass)",
    "unfit_triggers(regclass, smallint, text)",
    `is_followed(${schema}.tracked)`,
    "labels_of(oid)",
    "labels_now(oid)",
    "enum_of(oid)",
  ]
    .map((name) => `${schema}.${name}`)
    .join(", ");
}
