import { randomBytes } from "node:crypto";
import pg from "pg";
import { query } from "../database.js";

/** What PostgreSQL can give on each kind of object; `MAINTAIN` is there since 17. */
const privileges = {
  table: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"],
  column: ["SELECT", "INSERT", "UPDATE", "REFERENCES"],
  sequence: ["USAGE", "SELECT", "UPDATE"],
  function: ["EXECUTE"],
  type: ["USAGE"],
  schema: ["USAGE", "CREATE"],
} as const;

export type ObjectKind = keyof typeof privileges;

/** An object of a schema as SQL names it. */
export interface SchemaObject {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly oid: string;
}

/** Everything in a schema that has rights of its own, the schema itself included. */
export async function objectsIn(url: string, schema: string): Promise<SchemaObject[]> {
  return query<SchemaObject & pg.QueryResultRow>(
    `${url}?options=${encodeURIComponent("-c search_path=pg_catalog")}`,
    `select 'schema' as kind, oid, oid::regnamespace::text as name from pg_namespace where nspname = $1
    union all
    select case relkind when 'S' then 'sequence' else 'table' end, oid, oid::regclass::text from pg_class
    where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
    union all
    select 'function', oid, oid::regprocedure::text from pg_proc where pronamespace = $1::regnamespace
    union all
    select 'type', oid, oid::regtype::text from pg_type
    where typnamespace = $1::regnamespace and typtype <> 'm'
    and oid not in (select typarray from pg_type)`,
    [schema],
  );
}

/**
 * What a role may do with the objects of a schema, by PostgreSQL's own answers, role by role: not by the lists of rights
 * that the library reads. Each is "privilege kind name".
 */
export async function heldBy(url: string, schema: string, role: string): Promise<string[]> {
  const [{ server_version_num: version } = { server_version_num: "0" }] = await query<{ server_version_num: string }>(
    url,
    "show server_version_num",
  );
  const objects = await objectsIn(url, schema);
  const asked = objects.flatMap(({ kind, name, oid }) => [
    ...privileges[kind].map((privilege) => ({ kind, name, oid, privilege, of: kind })),
    ...(kind === "table" ? privileges.column.map((privilege) => ({ kind, name, oid, privilege, of: "column" })) : []),
  ]);
  const rows = await query<{ held: string }>(
    url,
    `select distinct concat_ws(' ', privilege, kind, name) as held
    from jsonb_to_recordset($1) as a (kind text, name text, oid oid, privilege text, "of" text)
    where case "of"
      when 'table' then has_table_privilege($2, oid, privilege)
      when 'column' then has_any_column_privilege($2, oid, privilege)
      when 'sequence' then has_sequence_privilege($2, oid, privilege)
      when 'function' then has_function_privilege($2, oid, privilege)
      when 'type' then has_type_privilege($2, oid, privilege)
      else has_schema_privilege($2, oid, privilege)
    end
    order by 1`,
    [JSON.stringify(asked.filter(({ privilege }) => privilege !== "MAINTAIN" || Number(version) >= 170_000)), role],
  );
  return rows.map(({ held }) => held);
}

/** SQL that gives all that can be given on an object, as its owner. */
export function grantAll({ kind, name }: SchemaObject, to: string): string {
  return `grant all on ${kind} ${name} to ${to}`;
}

/** Roles that are there while a test runs: `name` with a suffix of its own. */
export async function withRoles<Names extends string>(
  server: string,
  names: readonly Names[],
  work: (roles: Readonly<Record<Names, string>>) => Promise<void>,
): Promise<void> {
  const suffix = randomBytes(4).toString("hex");
  const roles = Object.fromEntries(names.map((name) => [name, `${name}_${suffix}`])) as Record<Names, string>;
  const quoted = Object.values<string>(roles).map((role) => pg.escapeIdentifier(role));
  await query(server, quoted.map((role) => `create role ${role} login`).join("; "));
  try {
    await work(roles);
  } finally {
    await query(server, quoted.map((role) => `drop role if exists ${role}`).join("; "));
  }
}
