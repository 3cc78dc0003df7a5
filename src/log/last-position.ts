import { raw, sql, type Statement } from "../core/sql.js";

/** PostgreSQL's bigint ends here. */
export const mostPosition = 2n ** 63n - 1n;

/** SQL for the last position of the log: of an event, or of a commit if commits are marked. Null in an empty log. */
export function lastPosition(schema: string): Statement {
  const s = raw(schema);
  return sql`(select greatest((select max(position) from ${s}.event), (select max(position) from ${s}.commit_marker)))`;
}

/** SQL for the last position of an event or a schema change: a point there has both. Null in an empty log. */
export function newestPosition(schema: string): Statement {
  const s = raw(schema);
  return sql`(select greatest((select max(position) from ${s}.event), (select max(position) from ${s}.schema_change)))`;
}
