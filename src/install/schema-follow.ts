import { type Attachment } from "../core/attachment.js";
import { positionOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { readSchemaHistories } from "../log/read-schema-history.js";
import { SchemaHistory } from "../log/schema-history.js";
import type { TrackedTable } from "../log/tracked-tables.js";
import {
  type Difference,
  differenceOf,
  type FoundColumn,
  type FoundTable,
  hasAlteredKey,
  type KnownTable,
  type SchemaVersions,
  type Storage,
} from "./schema-diff.js";
import { settleLateValues } from "./late-values.js";
import { firstOfOtherKeys, firstRelabelled, knowsKeys } from "./key-changes.js";
import { specOf } from "./spec.js";

/** What `chronicle.track` needs to know of a table's shape, and what there is to report. */
export interface Followed {
  /** JSON: the columns, each with its id. */
  readonly columns: string;
  readonly today: string | null;
  readonly fills: string;
  readonly report: Difference["report"] | undefined;
}

/**
 * Finds what changed in a table since the last install and writes it down, in the transaction that tracks it. If
 * anything did, the table is locked against writers first: the position drawn then parts events of the old shape from
 * those of the new one.
 */
export async function followTable(
  session: Session,
  attachment: Attachment,
  table: TrackedTable,
  install: number,
): Promise<Followed> {
  const { schema } = attachment;
  const spec = JSON.stringify(specOf(table, attachment.options.capture));
  const tracked = await session.row(
    sql`select ${raw(schema)}.tracked_id_of(${table.sqlName}::regclass, ${spec}::jsonb) as id`,
  );
  const trackedId = tracked?.id ?? undefined;
  if (trackedId !== undefined) {
    const row = await session.row(
      sql`select t.columns is null or ${raw(schema)}.is_followed(t) as followed
        from ${raw(schema)}.tracked t
        where t.id = ${trackedId}::smallint`,
    );
    if (row?.followed !== "t") await session.run(`lock table ${table.sqlName} in share row exclusive mode`);
  }
  const found = await findTable(session, schema, table, trackedId);
  const known = trackedId === undefined ? undefined : await knownTable(session, schema, trackedId);
  if (trackedId === undefined || known === undefined) return firstSeen(found, table);
  const histories = await readSchemaHistories(session, schema, [trackedId]);
  const history = histories.get(trackedId) ?? new SchemaHistory([], new Map(), []);
  const versions = await versionsOf(session, attachment, table, trackedId);
  const { capture } = attachment.options;
  const before = { trackedId, known, history };
  const hasKnownKeys =
    (await firstRelabelled(session, schema, before)) === null &&
    (!hasAlteredKey(known, found) || (await knowsKeys(session, schema, table, before)));
  const difference = differenceOf(known, { ...found, hasKnownKeys }, table, {
    nextId: nextId(history),
    capture,
    versions,
  });
  const position = difference.change === undefined ? undefined : await drawPosition(session, schema);
  const rekeyedFrom = difference.change?.rekeyed === true ? await firstOfOtherKeys(session, schema, before) : null;
  const changes = [
    ...history.changes,
    ...(difference.change === undefined || position === undefined
      ? []
      : [{ ...difference.change, position, rekeyedFrom, install, report: difference.report }]),
  ];
  const after = new SchemaHistory(changes, history.seen, difference.columns);
  await remember(session, schema, { table, trackedId, known, difference, position, rekeyedFrom, install, after });
  const changed = difference.change !== undefined || difference.comparison !== undefined;
  return {
    columns: JSON.stringify(difference.columns),
    today: after.todaySql(schema),
    fills: after.fills() ?? "{}",
    report: changed ? difference.report : undefined,
  };
}

function firstSeen(found: Pick<FoundTable, "columns">, table: TrackedTable): Followed {
  const columns = found.columns.map((column, index) => ({
    ...column,
    id: index + 1,
    hidden: table.sensitiveColumns.has(column.name),
  }));
  return { columns: JSON.stringify(columns), today: null, fills: "{}", report: undefined };
}

function nextId({ changes, now }: SchemaHistory): number {
  const lists = [now, ...changes.flatMap(({ before, after }) => [before, after])];
  return 1 + Math.max(0, ...lists.flat().map(({ id }) => id));
}

async function drawPosition(session: Session, schema: string): Promise<bigint> {
  return positionOf(
    await session.row(sql`select nextval(${`${schema}.event_position_seq`}::regclass) as position`),
    "position",
  );
}

interface Remembered {
  readonly table: TrackedTable;
  readonly trackedId: string;
  readonly known: KnownTable;
  readonly difference: Difference;
  readonly position: bigint | undefined;
  readonly rekeyedFrom: bigint | null;
  readonly install: number;
  readonly after: SchemaHistory;
}

async function remember(
  session: Session,
  schema: string,
  { table, trackedId, known, difference, position, rekeyedFrom, install, after }: Remembered,
): Promise<void> {
  const { change, comparison } = difference;
  if (change !== undefined && position !== undefined) {
    const from = rekeyedFrom === null ? null : String(rekeyedFrom);
    const stored = JSON.stringify({ ...change, rekeyedFrom: from, install, report: difference.report });
    await session.rows(sql`
      insert into ${raw(schema)}.schema_change (position, tracked_id, change)
      values (${position}, ${trackedId}::smallint, ${stored}::jsonb)`);
  }
  await settleLateValues(session, schema, table, { trackedId, known, after });
  if (comparison !== undefined) {
    await session.rows(sql`
      update ${raw(schema)}.tracked
      set unfinished = ${JSON.stringify(comparison)}::jsonb
      where id = ${trackedId}::smallint`);
  }
}

async function findTable(
  session: Session,
  schema: string,
  { sqlName }: TrackedTable,
  trackedId: string | undefined,
): Promise<Omit<FoundTable, "hasKnownKeys">> {
  const row = await session.row(sql`
    select to_jsonb(f.columns) as columns, f.storage,
      t.table_oid is distinct from f.oid or t.storage is null as remade
    from (select oid, ${raw(schema)}.describe(oid) as columns, ${raw(schema)}.storage_of(oid) as storage
      from (select ${sqlName}::regclass::oid as oid) o) f
    left join ${raw(schema)}.tracked t on t.id = ${trackedId ?? null}::smallint`);
  const columns = JSON.parse(row?.columns ?? "[]") as FoundColumn[];
  const storage = JSON.parse(row?.storage ?? "{}") as Record<string, Storage>;
  return {
    columns,
    storage,
    remade: row?.remade === "t",
    fills: trackedId === undefined ? {} : await fillsOf(session, schema, sqlName, columns),
  };
}

/**
 * What ADD COLUMN gave to rows that were there: PostgreSQL keeps the value until the table is rewritten. A partitioned
 * table has none itself, its partitions do.
 */
async function fillsOf(
  session: Session,
  schema: string,
  sqlName: string,
  columns: readonly FoundColumn[],
): Promise<Record<number, string>> {
  const rows = await session.rows(sql`
    select distinct on (a.attname) a.attname as name, (a.attmissingval::text::text[])[1] as value,
      case k.kind when 'others' then 'text' else format_type(a.atttypid, a.atttypmod) end as type,
      ${raw(schema)}.column_image_sql('t', 'value', case k.kind when 'others' then 'text' else k.kind end) as image
    from (select ${sqlName}::regclass::oid as oid union select relid from pg_partition_tree(${sqlName}::regclass)) r
    join pg_attribute a on a.attrelid = r.oid
    cross join lateral (select ${raw(schema)}.column_kind(a.atttypid) as kind) k
    where a.attnum > 0 and not a.attisdropped and a.atthasmissing and a.attmissingval is not null`);
  const fills: Record<number, string> = {};
  for (const { name, value, type, image } of rows) {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined) continue;
    const made = await session.row(
      sql`select ${raw(image ?? "null")} as image from (select ${value}::text::${raw(type ?? "text")} as value) t`,
    );
    fills[column.number] = made?.image ?? "null";
  }
  return fills;
}

async function knownTable(session: Session, schema: string, trackedId: string): Promise<KnownTable | undefined> {
  const row = await session.row(sql`
    select t.columns, t.storage, to_jsonb(t.key_columns) as keys, to_jsonb(t.excluded_columns) as excluded,
      to_jsonb(t.actions) as actions,
      t.audit_only, t.capture, t.absent,
      (select jsonb_object_agg(name, actions) from (
        select v.name, jsonb_object_agg(v.action, v.version) as actions
        from ${raw(schema)}.versions(t.spec) v
        group by v.name) v) as versions
    from ${raw(schema)}.tracked t where t.id = ${trackedId}::smallint`);
  if (row?.columns == null) return undefined;
  return {
    columns: JSON.parse(row.columns) as KnownTable["columns"],
    storage: JSON.parse(row.storage ?? "{}") as KnownTable["storage"],
    keyColumns: JSON.parse(row.keys ?? "[]") as string[],
    excludedColumns: JSON.parse(row.excluded ?? "[]") as string[],
    actions: JSON.parse(row.actions ?? "[]") as string[],
    auditOnly: row.audit_only === "t",
    capture: row.capture ?? "",
    absent: row.absent === "t",
    versions: JSON.parse(row.versions ?? "{}") as SchemaVersions,
  };
}

async function versionsOf(
  session: Session,
  { schema, options }: Attachment,
  table: TrackedTable,
  trackedId: string,
): Promise<SchemaVersions> {
  const spec = JSON.stringify(specOf(table, options.capture));
  const rows = await session.rows(sql`
    select g.name, g.action, greatest(g.version, k.version) as version
    from ${raw(schema)}.versions(${spec}::jsonb) g
    left join (
      select v.*
      from ${raw(schema)}.tracked t
      cross join lateral ${raw(schema)}.versions(t.spec) v
      where t.id = ${trackedId}::smallint
    ) k using (name, action)`);
  const versions: Record<string, Record<string, number>> = {};
  for (const { name, action, version } of rows) (versions[name ?? ""] ??= {})[action ?? ""] = Number(version);
  return versions;
}
