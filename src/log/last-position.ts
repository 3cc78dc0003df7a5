import { raw, sql, type Statement } from "../core/sql.js";

/**
 * SQL for the last position of the log: of an event, of a schema change, or of a commit if commits are marked. Null in
 * an empty log.
 */
export function lastPosition(schema: string): Statement {
  return sql`(select greatest(${newestPosition(schema)}, (select max(position) from ${raw(schema)}.commit_marker)))`;
}

/**
 * SQL for the position that has everything which is committed: the last event and the last schema change. Null in an
 * empty log.
 */
export function newestPosition(schema: string): Statement {
  const s = raw(schema);
  return sql`(select greatest((select max(position) from ${s}.event), (select max(position) from ${s}.schema_change)))`;
}
