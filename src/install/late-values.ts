import type { Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";
import { permitChanges } from "../log/origin.js";
import type { SchemaHistory } from "../log/schema-history.js";
import type { TrackedTable } from "../log/tracked-tables.js";
import type { KnownTable } from "./schema-diff.js";

interface Late {
  readonly trackedId: string;
  readonly known: KnownTable;
  readonly after: SchemaHistory;
}

/**
 * Values that were kept apart because install did not know their column yet are shown with their events; those of a
 * column that turned out to be excluded are deleted, and those of a sensitive one stay where they are.
 */
export async function settleLateValues(
  session: Session,
  schema: string,
  table: TrackedTable,
  late: Late,
): Promise<void> {
  const { known, after } = late;
  const plain = after.now.filter(({ name, hidden }) => !hidden && table.plainColumns.includes(name));
  const excluded = after.now.filter(
    ({ id, name }) => table.excludedColumns.includes(name) && !known.columns.some((column) => column.id === id),
  );
  await permitChanges(session);
  await eachApart(session, schema, late, plain, show);
  await eachApart(session, schema, late, excluded, forget);
}

/** For the names that columns had in each shape of each era, runs a statement over the events `e` that have it. */
async function eachApart(
  session: Session,
  schema: string,
  { trackedId, after }: Late,
  columns: SchemaHistory["now"],
  statement: (schema: string, names: readonly string[], events: Statement) => Statement,
): Promise<void> {
  for (let era = 0; era <= after.changes.length; era++) {
    const [from, to] = [after.changes[era - 1]?.position ?? 0n, after.changes[era]?.position ?? null];
    const names = new Map<string | null, string[]>();
    for (const { id } of columns)
      for (const { shape, name } of after.namesOf(id, era)) names.set(shape, [...(names.get(shape) ?? []), name]);
    for (const [shape, list] of names) {
      const events = sql`
        e.position >= ${from} and (${to}::bigint is null or e.position < ${to}::bigint)
        and e.shape is not distinct from ${shape}::bigint
        and e.table_name = any (${raw(schema)}.table_names((
          select t.table_name from ${raw(schema)}.tracked t where t.id = ${trackedId}::smallint)))`;
      await session.rows(statement(schema, list, events));
    }
  }
}

function show(schema: string, names: readonly string[], events: Statement): Statement {
  const pick = (values: string) =>
    raw(`${values} - array(select v.key from jsonb_object_keys(${values}) v (key) where v.key <> all (n.names))`);
  return sql`
    insert into ${raw(schema)}.event_late (position, data, previous)
    select e.position, ${pick("s.data")}, ${pick("s.previous")}
    from (select ${names}::text[] as names) n
    join ${raw(schema)}.event e on ${events}
    join ${raw(schema)}.event_sensitive s
      on s.position = e.position and (s.data ?| n.names or s.previous ?| n.names)
    on conflict (position) do update set data = excluded.data, previous = excluded.previous`;
}

function forget(schema: string, names: readonly string[], events: Statement): Statement {
  return sql`
    update ${raw(schema)}.event_sensitive s
    set data = s.data - n.names, previous = s.previous - n.names
    from (select ${names}::text[] as names) n, ${raw(schema)}.event e
    where e.position = s.position and ${events} and (s.data ?| n.names or s.previous ?| n.names)`;
}
