import { createHash } from "node:crypto";
import type { DataSource } from "typeorm";
import { functions } from "../../entities/functions/index.js";
import { latestStep } from "../../entities/steps/index.js";
import { type Attachment, attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { abortSignal, aFunction, oneOrMore, text } from "../core/option-kinds.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { RecordingProgress } from "../log/comparison.js";
import { rememberShapes } from "../log/class-shapes.js";
import { isSecure, refuseOtherOwner, secure, storedGrants } from "../log/secure.js";
import { heirsOf } from "../log/heirs.js";
import { stepOf } from "../log/step.js";
import type { SchemaChangeReport } from "../log/table-shape.js";
import { type TrackedTable, trackedTables } from "../log/tracked-tables.js";
import { dropTriggers, hasStrayTriggers } from "./capture-triggers.js";
import { grant, type Grants } from "./grants.js";
import { acceptedKey, type OwnedBehind } from "../log/ownership.js";
import { othersBehind, refuseHeirs, refuseOwners, refuseSharedSchema, refuseUnreadableTables } from "./own-schema.js";
import { type SetUpOptions, setUpOptions, withSetUp } from "./set-up.js";
import { hasKeys, putSettings } from "./settings.js";
import type { Difference } from "./schema-diff.js";
import { followTable } from "./schema-follow.js";
import { specOf } from "./spec.js";
import { takeSteps } from "./steps.js";

export interface InstallOptions extends Grants, SetUpOptions {
  /**
   * Roles besides the log's owner and superusers that may own tracked tables and types of their columns. Capture runs
   * no code of theirs; calls that would have to run it, such as `replay()`, throw OTHER_OWNER. (Default: none)
   */
  readonly acceptOwners?: string | readonly string[] | undefined;
  /** Called after each batch of records that a schema change rewrote. */
  readonly onProgress?: ((progress: RecordingProgress) => void) | undefined;
  /** Stops between two such batches: the next install goes on there. */
  readonly signal?: AbortSignal | undefined;
}

const roles = oneOrMore("roles", text("the name of a role"));

const installOptions = section({
  ...setUpOptions,
  acceptOwners: roles,
  grantTo: roles,
  grantReadTo: roles,
  onProgress: aFunction(),
  signal: abortSignal,
} satisfies OptionsOf<InstallOptions>);

/** What an install found that was stopped before all rows were recorded, and that this one has gone on with. */
async function lastChanges(
  session: Session,
  { schema }: Attachment,
  entities: readonly string[],
): Promise<Difference["report"][]> {
  const rows = await session.rows(sql`
    select distinct on (c.change #>> '{report,entity}') c.change -> 'report' as report
    from ${raw(schema)}.schema_change c
    where c.change #>> '{report,entity}' = any (${entities}::text[])
    order by c.change #>> '{report,entity}', c.position desc`);
  return rows.map(({ report }) => JSON.parse(report ?? "{}") as Difference["report"]);
}

/** Records what a schema change did to rows, in batches, and tells how many events there are for each entity. */
export type RecordMigrations = (
  dataSource: DataSource,
  options: Pick<InstallOptions, "onProgress" | "signal"> & { readonly session: Session },
) => Promise<ReadonlyMap<string, number>>;

export interface InstallReport {
  /** Whether anything had to be done. */
  readonly changed: boolean;
  /** Our own numbered version of the tables. */
  readonly step: number;
  /** The tracked tables, as the log names them. */
  readonly tables: readonly string[];
  /** What changed in tables that were tracked before: the log follows by itself. */
  readonly schemaChanges: readonly SchemaChangeReport[];
}

/**
 * Sets up the log and capture on every tracked table, or brings them up to date; does nothing when they are. The log,
 * and all tables that need no new trigger, in one transaction; every other table in one of its own. So no two tables of
 * the application are ever locked at once, and with a short lock timeout and retries a running application's writers go
 * on.
 *
 * What changed in a tracked table since the last install is found and remembered, so that older events are read under
 * today's names and types; values that the change rewrote are recorded as events with origin "migration", in the
 * caller's request context.
 * Throws NOT_OWNER, OTHER_OWNER, ROWS_HIDDEN, INSTALL_LOCK_TIMEOUT, INSTALL_STALE, COLUMN_TYPE_UNSUPPORTED, OPTIONS_INVALID,
 * DATABASE_UNSUPPORTED.
 */
export async function install(
  dataSource: DataSource,
  given: InstallOptions,
  recordMigrations: RecordMigrations,
): Promise<InstallReport> {
  const attachment = attachmentOf(dataSource);
  const options = checkOptions("install", given, installOptions);
  const tables = trackedTables(dataSource);
  return withSetUp(dataSource, options, async (session, setUp) => {
    const supported =
      numberOf(await session.row(sql`select current_setting('server_version_num') as version`), "version") >= 140_000;
    if (!supported) throw new EventLogError("DATABASE_UNSUPPORTED", "This server is older than PostgreSQL 14.");
    const names = tables.map(({ tableName }) => tableName);
    const done = await stepOf(session, attachment.schema);
    // Set up by a newer version of the library: an older process of a rolling deploy leaves it alone and goes on
    // recording.
    if (done > latestStep) return { changed: false, step: done, tables: names, schemaChanges: [] };
    const others = await othersBehind(
      session,
      tables.map(({ sqlName }) => sqlName),
    );
    const fingerprint = fingerprintOf(attachment, tables, options, others);
    const report = { step: latestStep, tables: names };
    if (done > 0 && (await isEqual(session, attachment, tables, fingerprint))) {
      await refuseUnreadableTables(session, attachment.options.capture, tables, others);
      await rememberShapes(session, dataSource);
      return { changed: false, ...report, schemaChanges: [] };
    }
    const { rest, found, number } = await setUp(() => putLog(session, attachment, tables, options, fingerprint));
    for (const table of rest)
      found.push(
        await setUp(async () => {
          const change = await trackTable(session, attachment, table, number);
          await secure(session, attachment.schema, await storedGrants(session, attachment.schema));
          return change;
        }),
      );
    await dropTriggers(session, attachment.schema, "stray", setUp);
    await setUp(() => session.run(`select ${attachment.schema}.put_commit_marker()`));
    await rememberShapes(session, dataSource);
    const { onProgress, signal } = options;
    const recorded = await recordMigrations(dataSource, { session, onProgress, signal });
    const changes = found.filter((change) => change !== undefined);
    const goneOn = [...recorded.keys()].filter((entity) => !changes.some((change) => change.entity === entity));
    if (goneOn.length > 0) changes.push(...(await lastChanges(session, attachment, goneOn)));
    const schemaChanges = changes.map((change) => ({ ...change, recordedRows: recorded.get(change.entity) ?? 0 }));
    return { changed: true, ...report, schemaChanges };
  });
}

function fingerprintOf(
  { options, schema, activityRetentionDays }: Attachment,
  tables: readonly TrackedTable[],
  { grantTo, grantReadTo, acceptOwners }: InstallOptions,
  others: readonly OwnedBehind[],
): string {
  const specs = tables.map((table) => [table.sqlName, specOf(table, options.capture)]);
  const parts = [
    latestStep,
    functions.map((make) => make(schema)),
    specs,
    options.lock.arguments,
    options.lock.timeoutMs,
    options.requireActor,
    options.context.requireSigned,
    options.limits.dataBytes,
    activityRetentionDays,
    grantTo,
    grantReadTo,
    acceptOwners,
    others,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/**
 * Equal: the same fingerprint and keys, on the same cluster, with the rights that were given and no others, with every
 * table still there and the triggers that it needs today.
 */
async function isEqual(
  session: Session,
  attachment: Attachment,
  tables: readonly TrackedTable[],
  fingerprint: string,
): Promise<boolean> {
  const { schema } = attachment;
  const { same } =
    (await session.row(sql`
    select exists (select from ${raw(schema)}.installation where fingerprint = ${fingerprint}
      and system_identifier = (select system_identifier::text from pg_control_system())) as same`)) ?? {};
  if (same !== "t" || !(await hasKeys(session, attachment))) return false;
  if (!(await isSecure(session, schema, await storedGrants(session, schema)))) return false;
  if (await hasStrayTriggers(session, schema)) return false;
  if ((await heirsOf(session, tables)).length > 0) return false;
  const found = await session.row(sql`
    select count(*) as tables from ${raw(schema)}.tracked t
    where t.table_name = any (${tables.map(({ tableName }) => tableName)})
    and ${raw(schema)}.is_followed(t)
    and not exists (
      select from ${raw(schema)}.table_shape k
      where k.tracked_id = t.id
      and not (k.columns -> 0 ? 'id')
      and k.seen_at > (select installed_at from ${raw(schema)}.installation))
    and not exists (
      select from jsonb_object_keys(${raw(schema)}.storage_of(t.table_oid)) now (oid)
      where not t.storage ? now.oid)
    and not exists (select from ${raw(schema)}.unfit_triggers(t.table_oid, t.id, t.capture))`);
  return numberOf(found, "tables") === tables.length;
}

interface LogPut {
  /** The tables that have to be locked: they need a trigger, or changed. */
  readonly rest: readonly TrackedTable[];
  readonly found: (Difference["report"] | undefined)[];
  /** Of this install: it rises. */
  readonly number: number;
}

/** The log itself, and the tables whose triggers and columns stay as they are. */
async function putLog(
  session: Session,
  attachment: Attachment,
  tables: readonly TrackedTable[],
  options: InstallOptions,
  fingerprint: string,
): Promise<LogPut> {
  const { schema } = attachment;
  await refuseOtherOwner(session, schema);
  const others = await othersBehind(
    session,
    tables.map(({ sqlName }) => sqlName),
  );
  await refuseOwners(session, others, [options.acceptOwners ?? []].flat());
  await refuseHeirs(session, tables);
  await refuseUnreadableTables(session, attachment.options.capture, tables, others);
  if ((await stepOf(session, schema)) === 0) await refuseSharedSchema(session, schema);
  await session.run(`create schema if not exists ${schema}`);
  await takeSteps(session, schema);
  for (const make of functions) await session.run(make(schema));
  // On another cluster the tables have other oids: their names say which they are.
  await session.rows(sql`
    update ${raw(schema)}.tracked set table_oid = coalesce(to_regclass(table_name)::oid, 0), storage = null
    where (select system_identifier from ${raw(schema)}.installation) <> (select system_identifier::text from pg_control_system())`);
  await putSettings(session, attachment, { fingerprint, accepted: others.map(acceptedKey) });
  const rest: TrackedTable[] = [];
  const found: (Difference["report"] | undefined)[] = [];
  const last = await session.row(
    sql`select max((change ->> 'install')::integer) as number from ${raw(schema)}.schema_change`,
  );
  const number = numberOf(last, "number") + 1;
  await noteAbsent(session, schema, tables);
  for (const table of tables) {
    if (await staysAsItIs(session, attachment, table)) found.push(await trackTable(session, attachment, table, number));
    else rest.push(table);
  }
  await session.run(`select ${schema}.put_guards()`);
  await grant(session, schema, options);
  return { rest, found, number };
}

/** Subscriber capture does not see what is written to a table that this release's code does not track. */
async function noteAbsent(session: Session, schema: string, tables: readonly TrackedTable[]): Promise<void> {
  await session.rows(sql`
    update ${raw(schema)}.tracked set absent = true
    where capture = 'subscriber' and not absent and table_name <> all (${tables.map(({ tableName }) => tableName)})`);
}

async function staysAsItIs(session: Session, { schema, options }: Attachment, { sqlName }: TrackedTable) {
  const row = await session.row(sql`
    select exists (
      select from ${raw(schema)}.tracked t
      where t.table_oid = to_regclass(${sqlName}) and (t.columns is null or ${raw(schema)}.is_followed(t))
      and not exists (select from ${raw(schema)}.unfit_triggers(t.table_oid, t.id, ${options.capture}))) as yes`);
  return row?.yes === "t";
}

async function trackTable(
  session: Session,
  attachment: Attachment,
  table: TrackedTable,
  number: number,
): Promise<Difference["report"] | undefined> {
  const { schema, options } = attachment;
  const there = (await session.row(sql`select to_regclass(${table.sqlName}) as there`))?.there;
  if (there === null) {
    throw new EventLogError("INSTALL_STALE", `The table ${table.tableName} of ${table.entity} does not exist.`, {
      hint: "Run the migrations (or synchronize) before install().",
    });
  }
  const spec = JSON.stringify(specOf(table, options.capture));
  const { columns, today, fills, report } = await followTable(session, attachment, table, number);
  await session.rows(
    sql`select ${raw(schema)}.track(
      ${table.sqlName}::regclass, ${spec}::jsonb, ${columns}::jsonb, ${today}, ${fills}::jsonb)`,
  );
  return report;
}
