import type { CheckedOptions } from "../core/options.js";
import { contextWith } from "../core/request-context.js";
import { numberOf, type Session } from "../core/session.js";
import { tellContext } from "../core/sent-context.js";
import { join, quoteIdentifier, raw, type RawSql, sql, type Statement } from "../core/sql.js";
import { markOrigin, permitChanges } from "../log/origin.js";
import type { TrackedTable } from "../log/tracked-tables.js";

/** The record that is erased. */
export interface Target {
  readonly schema: RawSql;
  /** The same as text. */
  readonly schemaName: string;
  readonly table: TrackedTable;
  readonly key: string;
  /** Key columns and values, as JSON. */
  readonly id: string;
}

/** What stands in for values that are erased and may not be null. */
export interface Values {
  readonly given: string;
  readonly image: string;
}

/** Where an event `e` is the record's. */
export function ofRecord({ schema, table, key }: Target): Statement {
  return sql`e.table_name = any (${schema}.table_names(${table.tableName})) and e.record_key = ${key}`;
}

/** Where a row `t` of the table is the record. */
export function isRecord({ table, id }: Target): Statement {
  const parts = table.keyColumns.map((name) => {
    const quoted = raw(quoteIdentifier(name));
    return sql`t.${quoted} = (select r.${quoted} from jsonb_populate_record(null::${raw(table.sqlName)}, ${id}::jsonb) r)`;
  });
  return join(parts, " and ");
}

interface Erased {
  readonly data: RawSql;
  readonly previous: RawSql;
}

/** Who and why for the event, and leave to change what is stored, until the transaction ends. */
export async function openErasure(session: Session, options: CheckedOptions, names: readonly string[]): Promise<void> {
  await tellContext(session, options, contextWith({ erase: { columns: names } }));
  await permitChanges(session);
}

/**
 * The position of the event that says so: what capture recorded, else one written here, because an erasure is recorded
 * also where the row has none of the values any more, or is gone. Undefined where there never was such a record.
 */
export async function eraseEvent(
  session: Session,
  record: Target,
  names: readonly string[],
  { image }: Values,
): Promise<string | undefined> {
  const { schema, schemaName, table } = record;
  const written = sql`
    select max(e.position) as position from ${schema}.event e
    where ${ofRecord(record)} and e.transaction_id = pg_current_xact_id()`;
  const captured = (await session.row(written))?.position;
  if (captured != null) {
    await markOrigin(session, schemaName, "erase", sql`${captured}::bigint`);
    return captured;
  }
  const row = await session.row(
    sql`select ${schema}.image_sql(${table.sqlName}::regclass, ${table.excludedColumns}::text[]) as sql`,
  );
  await session.rows(sql`
    select ${schema}.append(array[row(1, ${table.tableName},
      base.image || (select jsonb_object_agg(name, coalesce(${image}::jsonb -> name, '""') || '[null]') from unnest(${names}::text[]) name),
      base.image || (select jsonb_object_agg(name, coalesce(${image}::jsonb -> name, 'null')) from unnest(${names}::text[]) name))::${schema}.change],
      'erase', ${schema}.context())
    from (
      select coalesce(
        (select ${raw(row?.sql ?? "")} from ${raw(table.sqlName)} t where ${isRecord(record)}),
        (select e.record_id || e.previous || e.data from ${schema}.event e where ${ofRecord(record)} order by e.position desc limit 1)) as image
    ) base
    where base.image is not null`);
  return (await session.row(written))?.position ?? undefined;
}

/**
 * Takes the values out of every event of the record, under the names that the columns had when it was written; how many
 * held one, the erasure itself aside.
 */
export async function eraseEvents(session: Session, record: Target, standIns: RawSql, event: string): Promise<number> {
  const { schema, table } = record;
  const without = (column: string) =>
    raw(`(${column} - array(select jsonb_object_keys(i.names))
      || (
        select coalesce(jsonb_object_agg(v.key, v.value), '{}')
        from jsonb_each(i.names) v
        where v.value <> 'null' and ${column} ? v.key))`);
  const [hidden, late, shown] = ["s", "l", "e"].map((alias) => ({
    data: without(`${alias}.data`),
    previous: without(`${alias}.previous`),
  })) as [Erased, Erased, Erased];
  const events = sql`(
        select e.position, e.data, e.previous, i.names
        from ${schema}.event e
        cross join lateral (select ${standIns} as names) i
        where ${ofRecord(record)}
      ) i`;
  const row = await session.row(sql`
    with hidden as (
      update ${schema}.event_sensitive s set data = ${hidden.data}, previous = ${hidden.previous}
      from ${events} where i.position = s.position and (s.data <> ${hidden.data} or s.previous <> ${hidden.previous})
      returning s.position
    ),
    late as (
      update ${schema}.event_late l set data = ${late.data}, previous = ${late.previous}
      from ${events} where i.position = l.position and (l.data <> ${late.data} or l.previous <> ${late.previous})
      returning l.position
    ),
    shown as ( -- from the time before the column was sensitive
      update ${schema}.event e set data = ${shown.data}, previous = ${shown.previous}
      from ${events} where i.position = e.position and (e.data <> ${shown.data} or e.previous <> ${shown.previous})
      returning e.position
    )
    select count(*) as events
    from (select position from hidden union select position from late union select position from shown) held
    where position <> ${event}::bigint`);
  await session.rows(sql`
    delete from ${schema}.event_sensitive s using ${schema}.event e
    where e.position = s.position and ${ofRecord(record)} and (
      s.data = '{}' and s.previous = '{}'
      or e.position = ${event}::bigint and not exists (select from ${raw(table.sqlName)} t where ${isRecord(record)})
    )`);
  return numberOf(row, "events");
}
