import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { shadowMark } from "./shadow-mark.js";

/** What would make the log more exact: nothing is wrong without it. */
export async function adviceOn(session: Session, schema: string): Promise<string[]> {
  const row = await session.row(sql`
    select current_setting('track_commit_timestamp') as commit_times,
      (select string_agg(n.nspname, ', ' order by n.nspname) from pg_namespace n where obj_description(n.oid, 'pg_namespace') = ${shadowMark}) as shadows,
      (select count(*) from ${raw(schema)}.installation i where i.system_identifier <> (select system_identifier::text from pg_control_system())) as moved`);
  return [
    ...(numberOf(row, "moved") > 0
      ? [
          "This database came from another cluster: run install() before more is written, so that transactions of the two are told apart.",
        ]
      : []),
    ...(row?.commit_times === "off"
      ? ["Set track_commit_timestamp = on: times then cut by the moment of commit. (It takes a restart of the server.)"]
      : []),
    ...(row?.shadows
      ? [
          `A shadow is there, or what is left of one, in the schema ${row.shadows}: drop it when nobody reads it any more (\`chronicle shadow --drop\`).`,
        ]
      : []),
  ];
}
