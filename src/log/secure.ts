import { EventLogError } from "../core/errors.js";
import type { Session, TextRow } from "../core/session.js";
import { quoteIdentifier, raw, sql, type Statement } from "../core/sql.js";
import { objectsOfOthers } from "./ownership.js";

/** A right that install() gives. */
export interface Grant {
  readonly kind: "schema" | "table" | "routine";
  /** As SQL names it, with its schema. */
  readonly object: string;
  readonly privilege: "USAGE" | "SELECT" | "EXECUTE";
  readonly role: string;
}

/** A right on an object of a schema that its owner does not have by owning it. */
export interface Right {
  readonly kind: string;
  readonly object: string;
  /** Quoted, for a right on a column. */
  readonly column: string | undefined;
  readonly privilege: string;
  /** Quoted; `public` for everyone. */
  readonly role: string;
}

/**
 * Takes every right on a schema's objects from everyone but their owner, whoever gave it and by whichever default, and
 * gives what install() was asked to give. Called in the transaction that makes the objects, so that nobody ever has
 * more. What is as it should be is left alone. Throws NOT_OWNER.
 */
export async function secure(session: Session, schema: string, grants: readonly Grant[] = []): Promise<void> {
  await refuseOtherOwner(session, schema);
  const taken = (await unexpectedRights(session, schema, grants, ofThisRole)).map(
    ({ kind, object, column, role }) =>
      `revoke all${column === undefined ? "" : ` (${column})`} on ${kind} ${object} from ${role} cascade`,
  );
  for (const command of new Set(taken)) await session.run(command);
  for (const { kind, object, privilege, role } of await missingRights(session, schema, grants))
    await session.run(`grant ${privilege} on ${kind} ${object} to ${quoteIdentifier(role)}`);
}

/** Whether secure() would find anything to do. */
export async function isSecure(session: Session, schema: string, grants: readonly Grant[]): Promise<boolean> {
  if ((await unexpectedRights(session, schema, grants, ofThisRole)).length > 0) return false;
  return (await missingRights(session, schema, grants)).length === 0;
}

/**
 * The log's schema and all that is in it belong to the role that installs it: whoever owns a part of it could change it.
 * Throws NOT_OWNER.
 */
export async function refuseOtherOwner(session: Session, schema: string): Promise<void> {
  const row = await session.row(sql`
    select n.nspowner::regrole::text as owner, current_user as role
    from pg_namespace n
    where n.oid = to_regnamespace(${schema}) and n.nspowner <> ${thisRole}`);
  if (row !== undefined)
    throw new EventLogError(
      "NOT_OWNER",
      `The schema ${schema} belongs to ${row.owner}, and this role is ${row.role}.`,
      {
        hint: `Run it as ${row.owner}, or give the log a schema of its own: withEventLog(options, { schema }).`,
      },
    );
  const objects = await objectsOfOthers(session, schema);
  if (objects.length > 0)
    throw new EventLogError(
      "NOT_OWNER",
      `The schema ${schema} holds what others own: ${objects.map(({ what, owner }) => `${what} of ${owner}`).join(", ")}.`,
      {
        hint: "Drop it or move it to another schema: whoever owns a part of the log could change it.",
        details: { objects },
      },
    );
}

const thisRole = sql`(select r.oid from pg_roles r where r.rolname = current_user)`;
const ofThisRole = sql`h.owner = ${thisRole}`;

/** The rights on a schema's objects that are not among those given. */
export async function unexpectedRights(
  session: Session,
  schema: string,
  grants: readonly Grant[],
  condition: Statement = sql`true`,
): Promise<Right[]> {
  const rows = await session.rows(sql`
    with ${rightsOn(schema, grants)}
    select distinct h.kind, h.object, h.column_name as column, h.privilege, coalesce(quote_ident(h.role), 'public') as role
    from held h
    where h.grantee <> h.owner and ${condition}
    and (h.is_grantable or h.column_name is not null or not exists (
      select from given g
      where g.oid = h.oid and g.role = h.role and g.privilege = h.privilege))
    order by 1, 2, 3, 5, 4`);
  return rows.map(rightOf);
}

/** What install() gave and the roles do not have. */
async function missingRights(session: Session, schema: string, grants: readonly Grant[]): Promise<Grant[]> {
  const rows = await session.rows(sql`
    with ${rightsOn(schema, grants)}
    select g.kind, g.object, g.role, g.privilege
    from given g
    where not exists (
      select from held h
      where h.oid = g.oid and h.role = g.role and h.privilege = g.privilege and h.column_name is null)
    order by g.role, g.object`);
  return rows as unknown as Grant[];
}

/** Queries for WITH: what was given, and what roles hold. */
function rightsOn(schema: string, grants: readonly Grant[]): Statement {
  return sql`
    given as (
      select g.*, case g.kind
        when 'schema' then to_regnamespace(g.object)::oid
        when 'table' then to_regclass(g.object)::oid
        else to_regprocedure(g.object)::oid
      end as oid
      from jsonb_to_recordset(${JSON.stringify(grants)}::jsonb) as g (kind text, object text, role text, privilege text)
    ),
    object (kind, oid, object, column_name, owner, acl) as (${objectsOf(schema)}),
    held as (
      select o.*, a.privilege_type as privilege, a.grantee, r.rolname as role, a.is_grantable
      from object o
      cross join lateral aclexplode(o.acl) a
      left join pg_roles r on r.oid = a.grantee
    )`;
}

/** What lies in a schema, itself included; a right that nobody ever changed is the one that PostgreSQL gives to everyone. */
function objectsOf(schema: string): Statement {
  return sql`
    select 'schema', n.oid, n.oid::regnamespace::text, null, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    from pg_namespace n
    where n.oid = to_regnamespace(${schema})
    union all
    select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid, c.oid::regclass::text, null, c.relowner,
      coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
    from pg_class c
    where c.relnamespace = to_regnamespace(${schema}) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select 'table', c.oid, c.oid::regclass::text, quote_ident(a.attname), c.relowner, a.attacl
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = to_regnamespace(${schema}) and a.attacl is not null and not a.attisdropped
    union all
    select 'routine', p.oid, p.oid::regprocedure::text, null, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p
    where p.pronamespace = to_regnamespace(${schema})
    union all
    select 'type', t.oid, t.oid::regtype::text, null, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    from pg_type t
    where t.typnamespace = to_regnamespace(${schema})
    and t.typtype <> 'm' and not exists (select from pg_type e where e.typarray = t.oid)`;
}

function rightOf({ kind, object, column, privilege, role }: TextRow): Right {
  return {
    kind: kind ?? "",
    object: object ?? "",
    column: column ?? undefined,
    privilege: privilege ?? "",
    role: role ?? "",
  };
}

/**
 * What the last install gave, to roles that are still there: one that has another name now goes by that, and one that
 * was dropped and made again by its old one.
 */
export async function storedGrants(session: Session, schema: string): Promise<Grant[]> {
  const rows = await session.rows(sql`
    select g.kind, g.object, g.privilege, r.rolname as role
    from ${raw(schema)}.installation i
    cross join lateral jsonb_to_recordset(i.grants) as g (
      kind text, object text, privilege text, role text, "roleId" oid)
    left join pg_roles same on same.oid = g."roleId"
      and i.system_identifier = (select system_identifier::text from pg_control_system())
    join pg_roles r on r.rolname = coalesce(same.rolname, g.role)`);
  return rows as unknown as Grant[];
}
