import { createHash } from "node:crypto";
import type { DataSource } from "typeorm";
import { functions } from "../../entities/functions/index.js";
import { latestStep, steps } from "../../entities/steps/index.js";
import { type Attachment, attachmentOf } from "../core/attachment.js";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import { numberOf, type Session, withOwnSession } from "../core/session.js";
import { quoteIdentifier, raw, sql } from "../core/sql.js";
import { type TrackedTable, trackedTables } from "../log/tracked-tables.js";
import { specOf } from "./spec.js";

export interface InstallOptions {
  /** Roles of the application: may write tracked tables and pass the gate, may not read or write the log. (Default: none) */
  readonly grantTo?: string | readonly string[] | undefined;
  /** Roles that may read events, bookmarks and what is tracked, but no sensitive columns. (Default: none) */
  readonly grantReadTo?: string | readonly string[] | undefined;
}

export interface InstallReport {
  /** Whether anything had to be done. */
  readonly changed: boolean;
  /** Our own numbered version of the tables. */
  readonly step: number;
  /** The tracked tables, as the log names them. */
  readonly tables: readonly string[];
}

/** Waiting longer for a lock would make the application's writers wait behind us. */
const lockTimeoutMs = 250;
const attempts = 120;

/**
 * Sets up the log and capture on every tracked table, or brings them up to date; does nothing when they are.
 * One transaction, with a short lock timeout and retries, so that a running application's writers go on.
 * Throws NOT_OWNER, COLUMN_TYPE_UNSUPPORTED, OPTIONS_INVALID.
 */
export async function install(dataSource: DataSource, options: InstallOptions = {}): Promise<InstallReport> {
  const attachment = attachmentOf(dataSource);
  const tables = trackedTables(dataSource);
  return withOwnSession(dataSource, async (session) => {
    const supported =
      numberOf(await session.row(sql`select current_setting('server_version_num') as version`), "version") >= 140_000;
    if (!supported) throw new EventLogError("DATABASE_UNSUPPORTED", "This server is older than PostgreSQL 14.");
    const fingerprint = fingerprintOf(attachment, tables, options);
    const report = { step: latestStep, tables: tables.map(({ tableName }) => tableName) };
    if (await isEqual(session, attachment, tables, fingerprint)) return { changed: false, ...report };
    for (let attempt = 1; ; attempt++) {
      try {
        await session.transaction(() => change(session, attachment, tables, options, fingerprint));
        return { changed: true, ...report };
      } catch (error) {
        if (stateOf(error) === "42501") {
          throw new EventLogError(
            "NOT_OWNER",
            "This role may not set up the log: it must own the tracked tables and may create schemas.",
            { cause: error },
          );
        }
        if (stateOf(error) !== "55P03" || attempt === attempts) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 200));
      }
    }
  });
}

function fingerprintOf(
  { options, schema, activityRetentionDays }: Attachment,
  tables: readonly TrackedTable[],
  { grantTo, grantReadTo }: InstallOptions,
): string {
  const specs = tables.map((table) => [table.sqlName, specOf(table, options.capture)]);
  const parts = [
    latestStep,
    functions.map((make) => make(schema)),
    specs,
    options.lockArguments,
    options.requireActor,
    options.limits.dataBytes,
    activityRetentionDays,
    grantTo,
    grantReadTo,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Equal: the same fingerprint, on the same cluster, with every table still there and the triggers that it needs today. */
async function isEqual(
  session: Session,
  { schema }: Attachment,
  tables: readonly TrackedTable[],
  fingerprint: string,
): Promise<boolean> {
  if ((await session.row(sql`select to_regclass(${`${schema}.installation`}) as there`))?.there === null) return false;
  const { same } =
    (await session.row(sql`
    select exists (select from ${raw(schema)}.installation where fingerprint = ${fingerprint}
      and system_identifier = (select system_identifier::text from pg_control_system())) as same`)) ?? {};
  if (same !== "t") return false;
  const found = await session.row(sql`
    select count(*) as tables from ${raw(schema)}.tracked t
    where t.table_name = any (${tables.map(({ tableName }) => tableName)})
    and t.table_oid = to_regclass(t.table_name)
    and t.shape = ${raw(schema)}.shape(t.table_oid)
    and not exists (select from ${raw(schema)}.unfit_triggers(t.table_oid, t.id, t.capture))`);
  return numberOf(found, "tables") === tables.length && tables.length > 0;
}

async function change(
  session: Session,
  { options, schema, activityRetentionDays }: Attachment,
  tables: readonly TrackedTable[],
  grants: InstallOptions,
  fingerprint: string,
): Promise<void> {
  await session.run(
    `set local lock_timeout = ${lockTimeoutMs}; select pg_advisory_xact_lock(hashtextextended('typeorm-chronicle install', 0)); create schema if not exists ${schema}`,
  );
  await takeSteps(session, schema);
  for (const make of functions) await session.run(make(schema));
  // On another cluster the tables have other oids: their names say which they are.
  await session.rows(sql`
    update ${raw(schema)}.tracked set table_oid = coalesce(to_regclass(table_name)::oid, 0)
    where (select system_identifier from ${raw(schema)}.installation) <> (select system_identifier::text from pg_control_system())`);
  await session.rows(sql`
    insert into ${raw(schema)}.installation as i (step, fingerprint, system_identifier, lock_arguments, require_actor, activity_retention_days)
    select ${latestStep}::integer, ${fingerprint}, system_identifier::text,
      coalesce(${options.lockArguments}, hashtextextended(current_database() || '.' || ${options.schema}, 0)::text), ${options.requireActor}::boolean, ${activityRetentionDays}::double precision
    from pg_control_system()
    on conflict (only_row) do update set step = greatest(i.step, excluded.step), fingerprint = excluded.fingerprint,
      epoch = i.epoch + (i.system_identifier <> excluded.system_identifier)::integer, system_identifier = excluded.system_identifier,
      lock_arguments = excluded.lock_arguments, require_actor = excluded.require_actor, activity_retention_days = excluded.activity_retention_days, installed_at = clock_timestamp()`);
  const epoch = numberOf(await session.row(sql`select epoch from ${raw(schema)}.installation`), "epoch");
  await session.run(`
    alter table ${schema}.event alter column epoch set default ${epoch};
    alter table ${schema}.bookmark alter column epoch set default ${epoch};
    alter table ${schema}.event drop constraint if exists event_data_limit;
    alter table ${schema}.event add constraint event_data_limit check (pg_column_size(data) + pg_column_size(previous) <= ${options.limits.dataBytes}) not valid;
    create or replace trigger data_limit before insert on ${schema}.event_sensitive for each row
      when (pg_column_size(new.data) + pg_column_size(new.previous) > ${options.limits.dataBytes}) execute function ${schema}.refuse_size()`);
  for (const table of tables) await trackTable(session, schema, table, options.capture);
  await grant(session, schema, grants);
}

async function takeSteps(session: Session, schema: string): Promise<void> {
  const there = (await session.row(sql`select to_regclass(${`${schema}.installation`}) as there`))?.there !== null;
  const done = there ? numberOf(await session.row(sql`select step from ${raw(schema)}.installation`), "step") : 0;
  for (const step of steps) if (step.number > done) await session.run(step.sql(schema));
}

async function trackTable(session: Session, schema: string, table: TrackedTable, capture: string): Promise<void> {
  const there = (await session.row(sql`select to_regclass(${table.sqlName}) as there`))?.there;
  if (there === null) {
    throw new EventLogError("INSTALL_STALE", `The table ${table.tableName} of ${table.entity} does not exist.`, {
      hint: "Run the migrations (or synchronize) before install().",
    });
  }
  await session.rows(
    sql`select ${raw(schema)}.track(${table.sqlName}::regclass, ${JSON.stringify(specOf(table, capture))}::jsonb)`,
  );
}

async function grant(
  session: Session,
  schema: string,
  { grantTo = [], grantReadTo = [] }: InstallOptions,
): Promise<void> {
  const list = (roles: string | readonly string[]) => [roles].flat().map(quoteIdentifier).join(", ");
  await session.run(
    `revoke all on all tables in schema ${schema} from public; revoke all on schema ${schema} from public; revoke all on all functions in schema ${schema} from public`,
  );
  const writers = list(grantTo);
  if (writers !== "") {
    await session.run(
      `grant usage on schema ${schema} to ${writers}; grant select on ${schema}.gate, ${schema}.tracked, ${schema}.installation to ${writers};
      grant execute on function ${forStatus(schema)} to ${writers};
      grant select, insert on ${schema}.activity to ${writers}; grant execute on function ${schema}.activity_cleanup(timestamptz, integer) to ${writers}`,
    );
  }
  const readers = list(grantReadTo);
  if (readers !== "") {
    await session.run(`grant usage on schema ${schema} to ${readers};
      grant select on ${schema}.event, ${schema}.activity, ${schema}.bookmark, ${schema}.tracked, ${schema}.installation, ${schema}.gate to ${readers};
      grant execute on function ${forStatus(schema)}, ${schema}.digits_as_text(jsonb, text[]), ${schema}.number_as_text(jsonb), ${schema}.record_key(jsonb, text[]) to ${readers}`);
  }
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
  ]
    .map((name) => `${schema}.${name}`)
    .join(", ");
}
