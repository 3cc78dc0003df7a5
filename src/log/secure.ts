import { EventLogError } from "../core/errors.js";
import type { Session, TextRow } from "../core/session.js";
import { quoteIdentifier, raw, sql, type Statement } from "../core/sql.js";

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
  readonly privilege: string;
  /** Quoted; `public` for everyone. */
  readonly role: string;
}

/**
 * Takes every right on a schema's objects from everyone but their owner, whoever gave it and by whichever default, and
 * gives what install() was asked to give. Called in the transaction that makes the objects, so that nobody ever has
 * more. Throws NOT_OWNER.
 */
export async function secure(session: Session, schema: string, grants: readonly Grant[] = []): Promise<void> {
  await refuseOtherOwner(session, schema);
  const rights = await unexpectedRights(session, schema, grants, sql`o.owner = current_user::regrole`);
  const taken = new Set(rights.map(({ kind, object, role }) => `revoke all on ${kind} ${object} from ${role} cascade`));
  for (const command of taken) await session.run(command);
  for (const { kind, object, privilege, role } of grants)
    await session.run(`grant ${privilege} on ${kind} ${object} to ${quoteIdentifier(role)}`);
}

/**
 * The log's schema and all that is in it belong to the role that installs it: whoever owns a part of it could change it.
 * Throws NOT_OWNER.
 */
export async function refuseOtherOwner(session: Session, schema: string): Promise<void> {
  const row = await session.row(sql`
    select quote_ident(n.nspowner::regrole::text) as owner, current_user as role
    from pg_namespace n
    where n.oid = to_regnamespace(${schema}) and n.nspowner <> current_user::regrole`);
  if (row === undefined) return;
  throw new EventLogError("NOT_OWNER", `The schema ${schema} belongs to ${row.owner}, and this role is ${row.role}.`, {
    hint: `Connect as ${row.owner}, or give the log a schema of its own: withEventLog(options, { schema }).`,
  });
}

/** The rights on a schema's objects that are not among those given. */
export async function unexpectedRights(
  session: Session,
  schema: string,
  grants: readonly Grant[],
  condition: Statement = sql`true`,
): Promise<Right[]> {
  const rows = await session.rows(sql`
    with given as (
      select g.role, g.privilege, case g.kind
        when 'schema' then to_regnamespace(g.object)::oid
        when 'table' then to_regclass(g.object)::oid
        else to_regprocedure(g.object)::oid
      end as oid
      from jsonb_to_recordset(${JSON.stringify(grants)}::jsonb) as g (kind text, object text, role text, privilege text)
    ),
    objects (kind, oid, object, owner, acl) as (${objectsOf(schema)})
    select distinct o.kind, o.object, a.privilege_type as privilege, coalesce(quote_ident(r.rolname), 'public') as role
    from objects o
    cross join lateral aclexplode(o.acl) a
    left join pg_roles r on r.oid = a.grantee
    where a.grantee <> o.owner and ${condition}
    and (a.is_grantable or not exists (
      select from given g
      where g.oid = o.oid and g.role = r.rolname and g.privilege = a.privilege_type))
    order by 1, 2, 4, 3`);
  return rows.map(rightOf);
}

/** What lies in a schema, itself included; a right that nobody ever changed is the one that PostgreSQL gives to everyone. */
function objectsOf(schema: string): Statement {
  return sql`
    select 'schema', n.oid, n.oid::regnamespace::text, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    from pg_namespace n
    where n.oid = to_regnamespace(${schema})
    union all
    select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid, c.oid::regclass::text, c.relowner,
      coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
    from pg_class c
    where c.relnamespace = to_regnamespace(${schema}) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select 'table', c.oid, c.oid::regclass::text, c.relowner, a.attacl
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = to_regnamespace(${schema}) and a.attacl is not null
    union all
    select 'routine', p.oid, p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p
    where p.pronamespace = to_regnamespace(${schema})
    union all
    select 'type', t.oid, t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    from pg_type t left join pg_class c on c.oid = t.typrelid
    where t.typnamespace = to_regnamespace(${schema}) and t.typcategory <> 'A' and coalesce(c.relkind, 'c') = 'c'`;
}

function rightOf({ kind, object, privilege, role }: TextRow): Right {
  return { kind: kind ?? "", object: object ?? "", privilege: privilege ?? "", role: role ?? "" };
}

/** What the last install gave. */
export async function storedGrants(session: Session, schema: string): Promise<Grant[]> {
  const row = await session.row(sql`select grants from ${raw(schema)}.installation`);
  return JSON.parse(row?.grants ?? "[]") as Grant[];
}
