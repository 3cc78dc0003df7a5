import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { type Grant, secure } from "../log/secure.js";

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
 * Takes the log from everyone, gives the roles named what they need of it, and stores what was given. Throws
 * OPTIONS_INVALID if a role does not exist.
 */
export async function grant(session: Session, schema: string, asked: Grants): Promise<void> {
  const grants = grantsFor(schema, asked);
  const row = await session.row(sql`
    select string_agg(distinct g.role, ', ') as missing
    from jsonb_to_recordset(${JSON.stringify(grants)}::jsonb) as g (role text)
    where not exists (select from pg_roles r where r.rolname = g.role)`);
  if (row?.missing != null)
    throw new EventLogError("OPTIONS_INVALID", `install: role "${row.missing}" does not exist.`, {
      hint: "Create the role first, or correct its name in grantTo or grantReadTo.",
    });
  await session.rows(sql`
    update ${raw(schema)}.installation set grants = (
      select coalesce(jsonb_agg(g.value || jsonb_build_object('roleId', r.oid::bigint)), '[]')
      from jsonb_array_elements(${JSON.stringify(grants)}::jsonb) as g (value)
      join pg_roles r on r.rolname = g.value ->> 'role')`);
  await secure(session, schema, grants);
}

function grantsFor(schema: string, { grantTo = [], grantReadTo = [] }: Grants): Grant[] {
  const [writers, readers] = [[grantTo].flat(), [grantReadTo].flat()];
  const table = (name: string) => ({ kind: "table", object: `${schema}.${name}`, privilege: "SELECT" }) as const;
  const routine = (name: string) => ({ kind: "routine", object: `${schema}.${name}`, privilege: "EXECUTE" }) as const;
  const both = [
    { kind: "schema", object: schema, privilege: "USAGE" } as const,
    ...["gate", "tracked", "installation"].map(table),
    ...forBoth(schema).map(routine),
  ];
  const toWriters = [...both, ...forWriters.map(routine)];
  const toReaders = [...both, ...readable.map(table), ...forReaders.map(routine)];
  return [
    ...writers.flatMap((role) => toWriters.map((given) => ({ ...given, role }))),
    ...readers.flatMap((role) => toReaders.map((given) => ({ ...given, role }))),
  ];
}

/** What readers see: events without what is kept apart, and what says how to read them. */
const readable = ["event", "event_late", "schema_change", "activity", "bookmark", "commit_marker"];

const forWriters = [
  "flush(jsonb)",
  "lock_log(jsonb, boolean)",
  "record_activity(json)",
  "raise_alerts(jsonb, jsonb, text)",
  "activity_alive(uuid, text, integer, integer)",
  "activity_farewell(uuid)",
  "activity_writers(integer)",
  "take_lost_writers(text[], text)",
  "activity_cleanup(timestamptz, integer)",
  "activity_due(timestamptz)",
];

/** What reading, points in time and tails ask of the database. */
const forReaders = [
  "about_time(timestamptz)",
  "around_time(bigint, timestamptz, timestamptz)",
  "torn(bigint, smallint, xid8)",
  "tail_positions(smallint, bigint, bigint, bigint, pg_snapshot, pg_snapshot, integer)",
  "fall_asleep(uuid, double precision)",
  "wake_up(uuid)",
  "text_size(jsonb, integer)",
  "digits_as_text(jsonb, text[])",
  "number_as_text(jsonb)",
  "record_key(jsonb, text[])",
  "record_key_of(regclass, jsonb, text[])",
  "base_type_of(oid)",
  "table_names(text)",
];

/** What `status()` asks of the database, and the count that says whether to let somebody try a sign-in. */
const forBoth = (schema: string): string[] => [
  "try_signature(text)",
  "activity_failures(text[], timestamptz, text, text, text, text[])",
  "table_name(oid)",
  "columns(regclass)",
  "column_kind(oid)",
  "is_trusted(oid)",
  "is_readable(oid)",
  "are_own(oid[])",
  "is_own(oid)",
  "level_of(regclass)",
  "row_by_row(regclass)",
  "unfit_triggers(regclass, smallint, text)",
  "stray_triggers()",
  "is_part_of(oid, smallint)",
  `table_of(${schema}.tracked)`,
  `is_followed(${schema}.tracked)`,
  "labels_of(oid)",
  "labels_now(oid)",
  "enum_of(oid)",
];
