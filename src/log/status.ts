import type { DataSource } from "typeorm";
import { latestStep } from "../../entities/steps/index.js";
import { attachmentOf } from "../core/attachment.js";
import { isMissing } from "../core/database-errors.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { trueOrFalse } from "../core/option-kinds.js";
import { numberOf, positionOf, type Session, withPooledSession } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { UncapturedWrite } from "../core/uncaptured-writes.js";
import { captureFindings } from "./capture-findings.js";
import { type Finding, refuse } from "./finding.js";
import { adviceOn, secretColumnsAdvice } from "./advice.js";
import { lastPosition } from "./last-position.js";
import { type LogHolder, logHolders, strayFindings } from "./log-holders.js";
import { type RecordedSchemaChange, schemaChanges } from "./schema-changes.js";
import { signingFindings } from "./signing-findings.js";
import { rightsFindings } from "./rights-findings.js";
import { stepOf } from "./step.js";
import { trackedTables } from "./tracked-tables.js";

export interface Status {
  readonly installed: boolean;
  /** Our own numbered version of the tables; 0 where nothing is installed. */
  readonly step: number;
  readonly capture: string;
  readonly schema: string;
  readonly tables: readonly { readonly entity: string; readonly tableName: string }[];
  /** The last position, 0n in an empty log, and where this role may not read it, which `advice` then says. */
  readonly position: bigint;
  /** Events recorded, as the planner estimates them. */
  readonly estimatedEvents: number;
  /** Under subscriber capture: what this process's DataSource wrote, or was refused, without it being recorded. */
  readonly uncaptured: readonly UncapturedWrite[];
  readonly findings: readonly Finding[];
  /**
   * Sessions that make others wait for longer than a minute, by the log's lock or by writes that are not committed.
   * Empty for a role that may not read `installation`. Members of pg_read_all_stats see the state and times of all
   * sessions.
   */
  readonly holders: readonly LogHolder[];
  /** What installs found changed in tracked tables, oldest first; empty for a role that may not read the log. */
  readonly schemaChanges: readonly RecordedSchemaChange[];
  /** What would make the log more exact or keep more to itself, in sentences; nothing is wrong without it. */
  readonly advice: readonly string[];
}

/** What is installed, what is missing or stale; to a role that may not read the log, what needs no rights on it. */
export async function status(dataSource: DataSource): Promise<Status> {
  const { schema, options, link } = attachmentOf(dataSource);
  const tables = trackedTables(dataSource).map(({ entity, tableName }) => ({ entity, tableName }));
  return withPooledSession(dataSource, (session) =>
    session.snapshot(async () => {
      const { findings, holders, may, installed } = await everythingFound(session, dataSource);
      const found = may.readEvents
        ? await session.row(sql`select ${lastPosition(schema)} as position,
          (select sum(greatest(reltuples, 0))::bigint from pg_class where relkind = 'r'
            and (oid = ${`${schema}.event`}::regclass or oid in (select inhrelid from pg_inherits where inhparent = ${`${schema}.event`}::regclass))) as events`)
        : undefined;
      return {
        installed,
        step: may.readStep ? await stepOf(session, schema) : 0,
        capture: options.capture,
        schema: options.schema,
        tables,
        position: positionOf(found, "position"),
        estimatedEvents: numberOf(found, "events"),
        uncaptured: link.uncaptured.list(),
        findings,
        holders,
        schemaChanges: may.readEvents ? await schemaChanges(session, schema) : [],
        advice: [
          ...(may.readEvents ? await adviceOn(session, schema) : installed ? [mayNotRead] : []),
          ...secretColumnsAdvice(trackedTables(dataSource)),
        ],
      };
    }),
  );
}

const mayNotRead =
  "This role may not read the log, so its position and events are told as 0: ask as its owner, or as a role of install({ grantReadTo }).";

/** What this role may read of the log, by the catalogs alone; nothing where there is none. */
async function rightsOn(session: Session, schemaName: string): Promise<{ readStep: boolean; readEvents: boolean }> {
  const row = await session.row(sql`
    select bool_and(readable) filter (where name = 'installation') as step, bool_and(readable) as events
    from (select c.relname as name, has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${schemaName} and c.relname in ('installation', 'event', 'commit_marker', 'schema_change')) t`);
  return { readStep: row?.step === "t", readEvents: row?.events === "t" };
}

export interface CheckOptions {
  /** Throw for warnings too: for unexpected rights, and for what a person has to judge. (Default: false) */
  readonly strict?: boolean | undefined;
}

const ofCheck = section({ strict: trueOrFalse.byDefault(false) } satisfies OptionsOf<CheckOptions>);

/**
 * Throws NOT_INSTALLED, INSTALL_STALE or CAPTURE_IMPAIRED with everything that was found; for an application's start.
 * If it is strict, RIGHTS_UNEXPECTED too.
 */
export async function check(dataSource: DataSource, options: CheckOptions = {}): Promise<void> {
  const { strict } = checkOptions("check", options, ofCheck);
  const { findings } = await withPooledSession(dataSource, (session) =>
    session.snapshot(() => everythingFound(session, dataSource)),
  );
  refuse(findings, { strict });
}

async function everythingFound(session: Session, dataSource: DataSource) {
  const { schema, options } = attachmentOf(dataSource);
  const findings = await everyFindingOf(session, dataSource);
  const installed = !findings.some(({ code }) => code === "NOT_INSTALLED");
  const may = await rightsOn(session, options.schema);
  const holders = may.readStep ? await logHolders(session, schema) : [];
  return { findings: [...findings, ...strayFindings(holders)], holders, may, installed };
}

async function everyFindingOf(session: Session, dataSource: DataSource): Promise<Finding[]> {
  const findings = await findingsOf(session, dataSource);
  if (findings.some(({ code }) => code === "NOT_INSTALLED")) return findings;
  const { options } = attachmentOf(dataSource);
  const readable = await session.row(sql`
    select has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute') as yes
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = ${options.schema} and p.proname = 'unfit_triggers'`);
  if (readable?.yes !== "t") return [...findings, ...(await captureFindings(session, dataSource, { readable: false }))];
  const attachment = attachmentOf(dataSource);
  const found = [...findings, ...(await captureFindings(session, dataSource, { readable: true }))];
  if ((await stepOf(session, attachment.schema)) < latestStep) return found;
  const signing = await signingFindings(session, attachment);
  return [...found, ...signing, ...(await rightsFindings(session, attachment.schema))];
}

/**
 * Compares what this process's code needs with what the database has: what a write is refused for.
 * "At least as new" is enough: older code runs on.
 */
export async function findingsOf(session: Session, dataSource: DataSource): Promise<Finding[]> {
  const { schema, options } = attachmentOf(dataSource);
  const access = await session.row(sql`
    select count(*) as there, count(*) filter (where has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')) as readable
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${options.schema} and c.relname in ('installation', 'tracked')`);
  if (numberOf(access, "there") < 2)
    return [
      {
        code: "NOT_INSTALLED",
        severity: "error",
        message: `The event log is not installed in schema ${options.schema}.`,
      },
    ];
  const readable = numberOf(access, "readable") === 2;
  const expected = trackedTables(dataSource).map(({ entity, sqlName, tableName, keyColumns, versions }) => ({
    entity,
    sqlName,
    tableName,
    keyColumns,
    ...versions,
  }));
  const tracked = readable
    ? sql`${raw(schema)}.tracked`
    : sql`(
      select null::oid as table_oid, null as table_name, null::jsonb as versions, null as capture,
        null::text[] as key_columns, null::jsonb as columns
      where false)`;
  const rows = await session.rows(sql`
    select e.entity, e."tableName", o.oid is null as gone,
      (select format('%s was renamed to %s', r.table_name, r.table_oid::regclass)
       from ${tracked} r join pg_class c on c.oid = r.table_oid
       join pg_class n on n.oid = to_regclass(r.table_name) and n.oid <> r.table_oid and n.relkind in ('r', 'p', 'f')
       where o.oid is not null and (r.table_name = e."tableName" or r.table_oid = o.oid)
       limit 1) as replaced,
      (select r.table_oid::regclass::text from ${tracked} r join pg_class c on c.oid = r.table_oid where r.table_name = e."tableName") as renamed, t.table_oid is null as untracked,
      (t.versions ->> 'create')::integer < e."create" or (t.versions ->> 'update')::integer < e."update" or (t.versions ->> 'destroy')::integer < e.destroy as older,
      t.capture <> ${options.capture} as other_capture,
      t.capture = 'subscriber' and e."keyColumns" <> (
        select jsonb_agg(coalesce(a.attname, k.name) order by k.ordinal)
        from unnest(t.key_columns) with ordinality as k (name, ordinal)
        left join jsonb_to_recordset(t.columns) as c (name text, number smallint) on c.name = k.name
        left join pg_attribute a on a.attrelid = o.oid and a.attnum = c.number and not a.attisdropped) as other_key,
      ${options.capture}::text = 'trigger' and (select count(*) from pg_trigger g join pg_proc p on p.oid = g.tgfoid where g.tgrelid = o.oid and p.pronamespace = to_regnamespace(${schema}) and g.tgname like ' chronicle %' and g.tgenabled in ('O', 'A')) < 4 as uncaptured
    from jsonb_to_recordset(${JSON.stringify(expected)}::jsonb) as e (
      entity text, "sqlName" text, "tableName" text, "keyColumns" jsonb, "create" integer, "update" integer,
      destroy integer)
    left join lateral (select to_regclass(e."sqlName")::oid as oid) o on true
    left join ${tracked} t on t.table_oid = o.oid
    order by e.entity`);
  const findings: Finding[] = [];
  const stale = (message: string, way: Pick<Finding, "hint"> = {}) =>
    findings.push({ code: "INSTALL_STALE", severity: "error", message, ...way });
  const step = readable ? await stepOf(session, schema) : latestStep;
  if (options.capture === "subscriber" && !(await mayFlush(session, options.schema)))
    stale("This role may not record events: run install({ grantTo }) for it.");
  if (step < latestStep) stale(`The log's tables are at step ${step}, this version needs ${latestStep}.`);
  for (const { entity, tableName, ...row } of rows) {
    if (row.replaced) stale(`The table ${row.replaced}, and another one has its name: ${entity} waits for an install.`);
    else if (row.gone === "t" && row.renamed)
      stale(`The table ${tableName} of ${entity} is called ${row.renamed} now.`);
    else if (row.gone === "t") stale(`The table ${tableName} of ${entity} does not exist.`, runMigrations);
    else if (readable && row.untracked === "t") stale(`${entity} (${tableName}) is not tracked in the database yet.`);
    else if (row.older === "t") stale(`${entity} has a higher version in the code than in the database.`);
    else if (row.other_key === "t") stale(`${entity} (${tableName}) has another primary key than at the last install.`);
    else if (row.other_capture === "t") stale(`${entity} is captured in another way than the options say.`);
    else if (row.uncaptured === "t") stale(`Capture triggers of ${entity} (${tableName}) are missing or disabled.`);
  }
  return findings;
}

const runMigrations = {
  hint: "Run the migrations (or synchronize), then install(); take the entity out of the code where its table is gone for good.",
};

/**
 * Throws INSTALL_STALE where it may be a tracked table that the error misses, as after a migration that did not run.
 */
export async function explainMissing(session: Session, dataSource: DataSource, error: unknown): Promise<never> {
  if (isMissing(error)) refuse(await findingsOf(session, dataSource));
  throw error;
}

async function mayFlush(session: Session, schema: string): Promise<boolean> {
  const flush = await session.row(sql`
    select count(*) as may from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = ${schema} and p.proname = 'flush' and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute')`);
  return numberOf(flush, "may") > 0;
}
