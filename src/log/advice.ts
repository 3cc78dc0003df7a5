import { looksSecret } from "../core/secret-names.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { shadowMark } from "./shadow-mark.js";
import type { TrackedTable } from "./tracked-tables.js";

/** Columns that are named like secrets and that whoever reads events can read. */
export function secretColumnsAdvice(tables: readonly TrackedTable[]): string[] {
  const found = tables.flatMap(({ entity, plainColumns, keyColumns, metadata }) =>
    metadata.columns
      .filter(({ databaseName: name }) => plainColumns.includes(name) && !keyColumns.includes(name))
      .filter(({ referencedColumn }) => referencedColumn === undefined) // `sessionId` names a row
      .filter(({ databaseName, propertyName }) => looksSecret(databaseName) || looksSecret(propertyName))
      .map(({ propertyPath }) => `${entity}.${propertyPath}`),
  );
  if (found.length === 0) return [];
  return [
    `These columns look like secrets, and events show their values: ${found.join(", ")}. Mark them @Sensitive(), leave them out by ` +
      "@Tracked({ exclude }), or go on if their names deceive.",
  ];
}

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
