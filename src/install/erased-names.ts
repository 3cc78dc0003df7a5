import type { Session } from "../core/session.js";
import { quoteLiteral, raw, type RawSql, sql } from "../core/sql.js";
import { readSchemaHistories } from "../log/read-schema-history.js";
import { SchemaHistory } from "../log/schema-history.js";
import type { TrackedTable } from "../log/tracked-tables.js";

/** The shapes that a table had, to find a column's values under every name that it ever had; `schema` is quoted. */
export async function historyOf(session: Session, schema: string, { tableName }: TrackedTable): Promise<SchemaHistory> {
  const row = await session.row(sql`select id from ${raw(schema)}.tracked where table_name = ${tableName}`);
  const histories = await readSchemaHistories(session, schema, [row?.id ?? "0"]);
  return histories.get(row?.id ?? "0") ?? new SchemaHistory([], new Map(), []);
}

/** Columns that were sensitive and that the table no longer has, by the last name of each. */
export function droppedSensitiveColumns({ changes, now }: SchemaHistory): Map<string, number> {
  const columns = changes
    .flatMap(({ before }) => before)
    .filter(({ id, hidden }) => hidden && !now.some((column) => column.id === id));
  return new Map(columns.map(({ name, id }) => [name, id]));
}

/**
 * SQL over an event `e`: an object with the names under which it holds the columns, each with the value that stands in,
 * null for none. A name that no shape knows is taken as it is.
 */
export function standInsSql(
  history: SchemaHistory,
  names: readonly string[],
  values: Readonly<Record<string, string>>,
): RawSql {
  const dropped = droppedSensitiveColumns(history);
  // A dropped column's name may be another one's today: then both are meant, and neither value is kept.
  const columns = names.flatMap((name): { name: string; id: number | undefined }[] => {
    const ids = [history.now.find((column) => column.name === name && column.hidden)?.id, dropped.get(name)];
    const known = ids.filter((id) => id !== undefined);
    return known.length === 0 ? [{ name, id: undefined }] : known.map((id) => ({ name, id }));
  });
  const object = (pairs: readonly (readonly [string, string])[]) =>
    `${quoteLiteral(`{${pairs.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(", ")}}`)}::jsonb`;
  const eras = [...history.changes.keys(), history.changes.length].map((era) => {
    const shapes = [null, ...history.seen.keys()].map((shape) => {
      const pairs = columns.flatMap(({ name, id }) => {
        if (id === undefined) return [[name, values[name] ?? "null"] as const];
        // The erasure itself names a dropped column as it was called last.
        const isLast = era === history.changes.length && !history.now.some((column) => column.name === name);
        const then = isLast ? name : history.namesOf(id, era).find((named) => named.shape === shape)?.name;
        return then === undefined ? [] : [[then, values[name] ?? "null"] as const];
      });
      return { shape, names: object(pairs) };
    });
    const [installed, ...seen] = shapes;
    const cases = seen.map(({ shape, names: then }) => `when e.shape = ${shape} then ${then}`).join(" ");
    return {
      before: history.changes[era]?.position,
      names: `case when e.shape is null then ${installed?.names} ${cases} else ${installed?.names} end`,
    };
  });
  const last = eras.pop()?.names ?? object([]);
  if (eras.length === 0) return raw(last);
  const earlier = eras.map(({ before, names: then }) => `when e.position < ${before} then ${then}`).join(" ");
  return raw(`case ${earlier} else ${last} end`);
}
