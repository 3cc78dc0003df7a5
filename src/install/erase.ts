import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { stateOf } from "../core/database-errors.js";
import { EventLogError } from "../core/errors.js";
import type { CheckedOptions } from "../core/options.js";
import { checkOptions, type OptionsOf, section } from "../core/option-checker.js";
import { names } from "../core/option-kinds.js";
import { requestContext } from "../core/request-context.js";
import { asOwner } from "../core/rights.js";
import { type Session, withOwnSession } from "../core/session.js";
import { quoteIdentifier, raw, sql } from "../core/sql.js";
import { refuseHiddenRows } from "../log/hidden-rows.js";
import { refuseTablesOfOthers } from "../log/ownership.js";
import { idColumns, recordKeys, type RecordId } from "../log/record-id.js";
import { columnsAt } from "../log/entity-parts.js";
import { lockErasures } from "../log/erasures.js";
import type { SchemaHistory } from "../log/schema-history.js";
import { refuse } from "../log/finding.js";
import { findingsOf } from "../log/status.js";
import { type EntityReference, type TrackedTable, trackedTableOf } from "../log/tracked-tables.js";
import { droppedSensitiveColumns, historyOf, standInsSql } from "./erased-names.js";
import { eraseEvent, eraseEvents, isRecord, ofRecord, openErasure, type Target, type Values } from "./erased-events.js";

export interface EraseOptions {
  /** Properties or columns, or names that a sensitive column had before. (Default: all that are sensitive) */
  readonly columns?: readonly string[] | undefined;
}

const eraseOptions = section({ columns: names } satisfies OptionsOf<EraseOptions>);

export interface EraseReport {
  /** How many stored events held one of the values. */
  readonly erased: number;
}

/**
 * Takes the values of a record's sensitive columns out of the log and out of its row, for good, and records an update
 * event, with origin "erase". From then on every replay, also to a point before, gives null where the column allows it,
 * else the `erased` value of `@Sensitive`. One transaction. It cannot reach backups, and disk pages until VACUUM has
 * been there.
 * Throws ERASE_REFUSED, NOT_OWNER, OTHER_OWNER, ROWS_HIDDEN, NOT_INSTALLED, INSTALL_STALE.
 */
export async function erase(
  dataSource: DataSource,
  entity: EntityReference,
  id: RecordId,
  given: EraseOptions = {},
): Promise<EraseReport> {
  const { columns } = checkOptions("erase", given, eraseOptions);
  const { schema, options } = attachmentOf(dataSource);
  const table = trackedTableOf(dataSource, entity);
  const asked = columns?.flatMap((name) => columnsOf(table, name));
  if (options.requireActor && requestContext()?.actor == null)
    throw new EventLogError("ACTOR_REQUIRED", `An erasure on ${table.entity} needs an actor.`);
  const work = withOwnSession(dataSource, async (session) => {
    refuse(await findingsOf(session, dataSource));
    await refuseUnfollowed(session, schema, table);
    await refuseTablesOfOthers(session, schema, [table]);
    await refuseHiddenRows(session, [table]);
    const [key = ""] = await recordKeys(session, schema, table, [id]);
    const record = { schema: raw(schema), schemaName: schema, table, key, id: JSON.stringify(idColumns(table, id)) };
    return session.transaction(async () => {
      await lockErasures(session, dataSource, "shared");
      return eraseRecord(session, options, record, asked);
    });
  });
  return asOwner(dataSource, work);
}

/** Between an ALTER and the next install nobody knows which values are whose. Throws INSTALL_STALE. */
async function refuseUnfollowed(session: Session, schema: string, { entity, tableName }: TrackedTable): Promise<void> {
  const row = await session.row(
    sql`select ${raw(schema)}.is_followed(t) as followed
      from ${raw(schema)}.tracked t
      where t.table_name = ${tableName}`,
  );
  if (row?.followed !== "t")
    throw new EventLogError("INSTALL_STALE", `${entity} (${tableName}) changed since the last install.`);
}

async function eraseRecord(
  session: Session,
  options: CheckedOptions,
  record: Target,
  asked: readonly string[] | undefined,
): Promise<EraseReport> {
  const { table, schemaName } = record;
  const history = await historyOf(session, schemaName, table);
  const former = [
    ...new Set([...droppedSensitiveColumns(history).keys(), ...(await formerColumns(session, record, history))]),
  ];
  const names = asked ?? [...table.sensitiveColumns.keys(), ...former];
  const refused = names.filter((name) => !table.sensitiveColumns.has(name) && !former.includes(name));
  if (refused.length > 0 || names.length === 0) {
    const what = refused.length > 0 ? `${refused.join(", ")} of ${table.entity} is` : `No column of ${table.entity} is`;
    throw new EventLogError("ERASE_REFUSED", `${what}${refused.length > 0 ? " not" : ""} sensitive.`, {
      details: { entity: table.entity, columns: refused },
    });
  }
  const { values, settable } = await standIns(session, record, names);
  await openErasure(session, options, names);
  await eraseRow(session, record, values, settable);
  const event = await eraseEvent(session, record, names, values);
  if (event === undefined) return { erased: 0 };
  const given = await session.rows(sql`select key, value from jsonb_each(${values.image}::jsonb)`);
  const byName = Object.fromEntries(given.map(({ key, value }) => [key ?? "", value ?? "null"]));
  return { erased: await eraseEvents(session, record, standInsSql(history, names, byName), event) };
}

/** A name that is no property is a column's. */
function columnsOf({ metadata }: TrackedTable, name: string): readonly string[] {
  const columns = columnsAt(metadata, name);
  return columns.length > 0 ? columns : [name];
}

/** Names under which the record's events hold hidden values and which no install ever saw, nor the table has now. */
async function formerColumns(session: Session, record: Target, { changes }: SchemaHistory): Promise<string[]> {
  const { schema, table } = record;
  const rows = await session.rows(sql`
    select distinct k.name
    from ${schema}.event e join ${schema}.event_sensitive s on s.position = e.position
    cross join lateral jsonb_object_keys(s.data || s.previous) as k (name)
    where ${ofRecord(record)} and k.name not in (select c.name from ${schema}.columns(${table.sqlName}::regclass) c)`);
  const known = changes.flatMap(({ before }) => before.map((column) => column.name));
  return rows.map(({ name }) => name ?? "").filter((name) => !known.includes(name));
}

/**
 * What stands in for the erased values: those that are not null, as JSON in the log's form; and the columns that can be
 * set.
 */
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
