import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import { requestContext, sendableContext } from "../core/request-context.js";
import { numberOf, type Session, withOwnSession } from "../core/session.js";
import { join, quoteIdentifier, raw, type RawSql, sql, type Statement } from "../core/sql.js";
import { idColumns, recordKeys, type RecordId } from "../log/record-id.js";
import { refuse } from "../log/finding.js";
import { findingsOf } from "../log/status.js";
import { type EntityReference, type TrackedTable, trackedTableOf } from "../log/tracked-tables.js";

export interface EraseOptions {
  /** Properties or columns, or names that a sensitive column had before. (Default: all that are sensitive) */
  readonly columns?: readonly string[] | undefined;
}

export interface EraseReport {
  /** How many stored events held one of the values. */
  readonly erased: number;
}

/**
 * Takes the values of a record's sensitive columns out of the log and out of its row, for good, and records an update event,
 * `actionName: "erase"`. From then on every replay, also to a point before, gives null where the column allows it, else the
 * `erased` value of `@Sensitive`. One transaction. It cannot reach backups, and disk pages until VACUUM has been there.
 * Throws ERASE_REFUSED, NOT_OWNER, NOT_INSTALLED, INSTALL_STALE.
 */
export async function erase(
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
  { columns }: EraseOptions = {},
): Promise<EraseReport> {
  const { schema, options } = attachmentOf(dataSource);
  const table = trackedTableOf(dataSource, entity);
  const asked = columns?.map((name) => columnOf(table, name));
  if (options.requireActor && requestContext()?.actor == null)
    throw new EventLogError("ACTOR_REQUIRED", `An erasure on ${table.entity} needs an actor.`);
  return withOwnSession(dataSource, async (session) => {
    refuse(await findingsOf(session, dataSource));
    try {
      const [key = ""] = await recordKeys(session, schema, table, [id]);
      const record = { schema: raw(schema), table, key, id: JSON.stringify(idColumns(table, id)) };
      return await session.transaction(() => eraseRecord(session, record, asked));
    } catch (error) {
      if (stateOf(error) !== "42501") throw error;
      throw new EventLogError("NOT_OWNER", "This role may not change what the log holds.", { cause: error });
    }
  });
}

interface Target {
  readonly schema: RawSql;
  readonly table: TrackedTable;
  readonly key: string;
  /** Key columns and values, as JSON. */
  readonly id: string;
}

async function eraseRecord(
  session: Session,
  record: Target,
  asked: readonly string[] | undefined,
): Promise<EraseReport> {
  const { table } = record;
  const former = await formerColumns(session, record);
  const names = asked ?? [...table.sensitiveColumns.keys(), ...former];
  const refused = names.filter((name) => !table.sensitiveColumns.has(name) && !former.includes(name));
  if (refused.length > 0 || names.length === 0) {
    const what = refused.length > 0 ? `${refused.join(", ")} of ${table.entity} is` : `No column of ${table.entity} is`;
    throw new EventLogError("ERASE_REFUSED", `${what}${refused.length > 0 ? " not" : ""} sensitive.`, {
      details: { entity: table.entity, columns: refused },
    });
  }
  const { values, settable } = await standIns(session, record, names);
  await openErasure(session, names);
  await eraseRow(session, record, values, settable);
  const event = await eraseEvent(session, record, names, values);
  return { erased: event === undefined ? 0 : await eraseEvents(session, record, names, values, event) };
}

function columnOf({ metadata }: TrackedTable, name: string): string {
  const column = metadata.columns.find(({ propertyPath, propertyName }) => [propertyPath, propertyName].includes(name));
  return column?.databaseName ?? name;
}

function ofRecord({ schema, table, key }: Target): Statement {
  return sql`e.table_name = any (${schema}.table_names(${table.tableName})) and e.record_key = ${key}`;
}

/** Where a row `t` of the table is the record. */
function isRecord({ table, id }: Target): Statement {
  const parts = table.keyColumns.map((name) => {
    const quoted = raw(quoteIdentifier(name));
    return sql`t.${quoted} = (select r.${quoted} from jsonb_populate_record(null::${raw(table.sqlName)}, ${id}::jsonb) r)`;
  });
  return join(parts, " and ");
}

/** Names under which the record's events hold hidden values and which the table no longer has. */
async function formerColumns(session: Session, record: Target): Promise<string[]> {
  const { schema, table } = record;
  const rows = await session.rows(sql`
    select distinct k.name
    from ${schema}.event e join ${schema}.event_sensitive s on s.position = e.position
    cross join lateral jsonb_object_keys(s.data || s.previous) as k (name)
    where ${ofRecord(record)} and k.name not in (select c.name from ${schema}.columns(${table.sqlName}::regclass) c)`);
  return rows.map(({ name }) => name ?? "");
}

/** What stands in for the erased values: those that are not null, as JSON in the log's form; and the columns that can be set. */
async function standIns(session: Session, { schema, table }: Target, names: readonly string[]) {
  const columns = await session.rows(sql`
    select name, nullable, generated from ${schema}.columns(${table.sqlName}::regclass) where name = any (${names}::text[])`);
  const given: Record<string, unknown> = {};
  for (const { name, nullable, generated } of columns) {
    if (nullable === "t" || generated === "t") continue;
    const { erased = null } = table.sensitiveColumns.get(name ?? "") ?? {};
    if (erased === null) {
      throw new EventLogError("ERASE_REFUSED", `${name} of ${table.entity} may not be null.`, {
        hint: "Say what stands in for it: @Sensitive({ erased: ... }).",
        details: { entity: table.entity, columns: [name] },
      });
    }
    given[name ?? ""] = erased;
  }
  const image = await session.row(
    sql`select ${schema}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
  );
  try {
    const row = await session.row(sql`
      select coalesce(jsonb_object_agg(i.key, i.value), '{}') as values
      from jsonb_populate_record(null::${raw(table.sqlName)}, ${JSON.stringify(given)}::jsonb) t
      cross join lateral jsonb_each(${raw(image?.sql ?? "")}) i where i.key = any (${Object.keys(given)}::text[])`);
    const settable = columns.filter(({ generated }) => generated === "f").map(({ name }) => name ?? "");
    return { values: { given: JSON.stringify(given), image: row?.values ?? "{}" }, settable };
  } catch (error) {
    if (!stateOf(error)?.startsWith("22")) throw error;
    throw new EventLogError(
      "OPTIONS_INVALID",
      `@Sensitive on ${table.entity}: an \`erased\` value is not of its column's type (${Object.keys(given).join(", ")}).`,
    );
  }
}

interface Values {
  readonly given: string;
  readonly image: string;
}

/** Who and why for the event, and leave to change what is stored, until the transaction ends. */
async function openErasure(session: Session, names: readonly string[]): Promise<void> {
  const open = JSON.parse(sendableContext()?.json.text ?? "{}") as { metadata?: Record<string, unknown> };
  const context = { ...open, actionName: "erase", metadata: { ...open.metadata, erase: { columns: names } } };
  const encoded = Buffer.from(JSON.stringify(context)).toString("base64");
  await session.rows(
    sql`select set_config('chronicle.context', ${encoded}, true), set_config('chronicle.erasing', pg_current_xact_id()::text, true)`,
  );
}

/** An ordinary update: capture and the application's triggers see it. */
async function eraseRow(
  session: Session,
  record: Target,
  { given }: Values,
  settable: readonly string[],
): Promise<void> {
  if (settable.length === 0) return;
  const { table } = record;
  const list = settable.map(quoteIdentifier);
  const assignments = list.map((name) => `${name} = v.${name}`).join(", ");
  try {
    await session.rows(sql`
      update ${raw(table.sqlName)} t set ${raw(assignments)}
      from jsonb_populate_record(null::${raw(table.sqlName)}, ${given}::jsonb) v where ${isRecord(record)}`);
  } catch (error) {
    const { constraint } = error as { constraint?: string };
    if (!stateOf(error)?.startsWith("23")) throw error;
    // Without its cause: that quotes the row.
    throw new EventLogError(
      "ERASE_REFUSED",
      `The row of ${table.entity} without these values breaks a constraint${constraint ? `, ${constraint}` : ""} (SQLSTATE ${stateOf(error)}).`,
      {
        hint: "Give `@Sensitive({ erased })` a value that the constraint allows.",
        details: { entity: table.entity, constraint },
      },
    );
  }
}

/**
 * The position of the event that says so: what capture recorded, else one written here, because an erasure is recorded also
 * where the row has none of the values any more, or is gone. Undefined where there never was such a record.
 */
async function eraseEvent(
  session: Session,
  record: Target,
  names: readonly string[],
  { image }: Values,
): Promise<string | undefined> {
  const { schema, table } = record;
  const written = sql`
    select max(e.position) as position from ${schema}.event e
    where ${ofRecord(record)} and e.transaction_id = pg_current_xact_id() and e.action_name = 'erase'`;
  const captured = (await session.row(written))?.position;
  if (captured != null) return captured;
  const row = await session.row(
    sql`select ${schema}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
  );
  await session.rows(sql`
    select ${schema}.append(array[row(1, ${table.tableName},
      base.image || (select jsonb_object_agg(name, coalesce(${image}::jsonb -> name, '""') || '[null]') from unnest(${names}::text[]) name),
      base.image || (select jsonb_object_agg(name, coalesce(${image}::jsonb -> name, 'null')) from unnest(${names}::text[]) name))::${schema}.change],
      ${schema}.context(), 'erase')
    from (
      select coalesce(
        (select ${raw(row?.sql ?? "")} from ${raw(table.sqlName)} t where ${isRecord(record)}),
        (select e.record_id || e.previous || e.data from ${schema}.event e where ${ofRecord(record)} order by e.position desc limit 1)) as image
    ) base
    where base.image is not null`);
  return (await session.row(written))?.position ?? undefined;
}

/** Takes the values out of every event of the record; how many held one, the erasure itself aside. */
async function eraseEvents(
  session: Session,
  record: Target,
  names: readonly string[],
  { image }: Values,
  event: string,
): Promise<number> {
  const { schema, table } = record;
  const without = (column: string) =>
    sql`(${raw(column)} - ${names}::text[] || (select coalesce(jsonb_object_agg(v.key, v.value), '{}') from jsonb_each(${image}::jsonb) v where ${raw(column)} ? v.key))`;
  const [hidden, shown] = [
    { data: without("s.data"), previous: without("s.previous") },
    { data: without("e.data"), previous: without("e.previous") },
  ];
  const row = await session.row(sql`
    with hidden as (
      update ${schema}.event_sensitive s set data = ${hidden.data}, previous = ${hidden.previous}
      from ${schema}.event e
      where e.position = s.position and ${ofRecord(record)} and (s.data <> ${hidden.data} or s.previous <> ${hidden.previous})
      returning s.position
    ),
    shown as ( -- from the time before the column was sensitive
      update ${schema}.event e set data = ${shown.data}, previous = ${shown.previous}
      where ${ofRecord(record)} and (e.data <> ${shown.data} or e.previous <> ${shown.previous})
      returning e.position
    )
    select count(*) as events from (select position from hidden union select position from shown) held where position <> ${event}::bigint`);
  await session.rows(sql`
    delete from ${schema}.event_sensitive s using ${schema}.event e
    where e.position = s.position and ${ofRecord(record)} and (
      s.data = '{}' and s.previous = '{}'
      or e.position = ${event}::bigint and not exists (select from ${raw(table.sqlName)} t where ${isRecord(record)})
    )`);
  return numberOf(row, "events");
}
