import { createHash } from "node:crypto";
import type { DataSource, QueryRunner } from "typeorm";
import { functions } from "../../entities/functions/index.js";
import { latestStep } from "../../entities/steps/index.js";
import { type Attachment, attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { refuseUnknownOptions } from "../core/options.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { stepOf } from "../log/step.js";
import { type TrackedTable, trackedTables } from "../log/tracked-tables.js";
import { grant, type Grants } from "./grants.js";
import { refuseSharedSchema } from "./own-schema.js";
import { type SetUpOptions, withSetUp } from "./set-up.js";
import { putSettings } from "./settings.js";
import { specOf } from "./spec.js";
import { takeSteps } from "./steps.js";

export interface InstallOptions extends Grants, SetUpOptions {}

export interface InstallReport {
  /** Whether anything had to be done. */
  readonly changed: boolean;
  /** Our own numbered version of the tables. */
  readonly step: number;
  /** The tracked tables, as the log names them. */
  readonly tables: readonly string[];
}

/**
 * Sets up the log and capture on every tracked table, or brings them up to date; does nothing when they are.
 * The log, and all tables that need no new trigger, in one transaction; every other table in one of its own. So no two tables of
 * the application are ever locked at once, and with a short lock timeout and retries a running application's writers go on.
 * Throws NOT_OWNER, INSTALL_LOCK_TIMEOUT, INSTALL_STALE, COLUMN_TYPE_UNSUPPORTED, OPTIONS_INVALID, DATABASE_UNSUPPORTED.
 */
export async function install(dataSource: DataSource, options: InstallOptions = {}): Promise<InstallReport> {
  const attachment = attachmentOf(dataSource);
  check(options);
  const tables = trackedTables(dataSource);
  return withSetUp(dataSource, options, async (session, setUp) => {
    const supported =
      numberOf(await session.row(sql`select current_setting('server_version_num') as version`), "version") >= 140_000;
    if (!supported) throw new EventLogError("DATABASE_UNSUPPORTED", "This server is older than PostgreSQL 14.");
    const names = tables.map(({ tableName }) => tableName);
    const done = await stepOf(session, attachment.schema);
    // Set up by a newer version of the library: an older process of a rolling deploy leaves it alone and goes on recording.
    if (done > latestStep) return { changed: false, step: done, tables: names };
    const fingerprint = fingerprintOf(attachment, tables, options);
    const report = { step: latestStep, tables: names };
    if (done > 0 && (await isEqual(session, attachment, tables, fingerprint))) return { changed: false, ...report };
    const rest = await setUp(() => putLog(session, attachment, tables, options, fingerprint));
    for (const table of rest) await setUp(() => trackTable(session, attachment, table));
    await setUp(() => session.run(`select ${attachment.schema}.put_commit_marker()`));
    return { changed: true, ...report };
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
  return numberOf(found, "tables") === tables.length;
}

/** The log itself, and the tables whose triggers stay as they are; returns the tables that need a trigger. */
async function putLog(
  session: Session,
  attachment: Attachment,
  tables: readonly TrackedTable[],
  grants: Grants,
  fingerprint: string,
): Promise<TrackedTable[]> {
  const { schema } = attachment;
  if ((await stepOf(session, schema)) === 0) await refuseSharedSchema(session, schema);
  await session.run(`create schema if not exists ${schema}`);
  await takeSteps(session, schema);
  for (const make of functions) await session.run(make(schema));
  // On another cluster the tables have other oids: their names say which they are.
  await session.rows(sql`
    update ${raw(schema)}.tracked set table_oid = coalesce(to_regclass(table_name)::oid, 0)
    where (select system_identifier from ${raw(schema)}.installation) <> (select system_identifier::text from pg_control_system())`);
  await putSettings(session, attachment, fingerprint);
  const rest: TrackedTable[] = [];
  for (const table of tables) {
    if (await hasTriggers(session, attachment, table)) await trackTable(session, attachment, table);
    else rest.push(table);
  }
  await grant(session, schema, grants);
  return rest;
}

async function hasTriggers(session: Session, { schema, options }: Attachment, { sqlName }: TrackedTable) {
  const row = await session.row(sql`
    select exists (select from ${raw(schema)}.tracked t where t.table_oid = to_regclass(${sqlName})
      and not exists (select from ${raw(schema)}.unfit_triggers(t.table_oid, t.id, ${options.capture}))) as yes`);
  return row?.yes === "t";
}

async function trackTable(session: Session, { schema, options }: Attachment, table: TrackedTable): Promise<void> {
  const there = (await session.row(sql`select to_regclass(${table.sqlName}) as there`))?.there;
  if (there === null) {
    throw new EventLogError("INSTALL_STALE", `The table ${table.tableName} of ${table.entity} does not exist.`, {
      hint: "Run the migrations (or synchronize) before install().",
    });
  }
  await session.rows(
    sql`select ${raw(schema)}.track(${table.sqlName}::regclass, ${JSON.stringify(specOf(table, options.capture))}::jsonb)`,
  );
}

const optionKeys = ["grantTo", "grantReadTo", "queryRunner", "lockTimeoutMs"];

function check(options: InstallOptions): void {
  const fail = (what: string) => new EventLogError("OPTIONS_INVALID", `install: ${what}.`);
  refuseUnknownOptions("install", options, optionKeys);
  for (const key of ["grantTo", "grantReadTo"] as const) {
    const roles: readonly unknown[] = [options[key] ?? []].flat();
    if (!roles.every((role) => typeof role === "string" && role !== ""))
      throw fail(`expected ${key} to be the name of a role, or a list of them`);
  }
  if (options.queryRunner !== undefined && typeof (options.queryRunner as Partial<QueryRunner>)?.connect !== "function")
    throw fail("expected queryRunner to be a query runner of TypeORM, as a migration gets it");
  if (options.lockTimeoutMs !== undefined && !(options.lockTimeoutMs >= 0))
    throw fail("expected lockTimeoutMs to be a number of milliseconds");
}
