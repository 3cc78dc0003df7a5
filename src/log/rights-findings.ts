import type { Session } from "../core/session.js";
import { sql } from "../core/sql.js";
import type { Finding } from "./finding.js";
import { storedGrants, unexpectedRights } from "./secure.js";

/**
 * Who may do more with the log than install() gave: by a right on it, by owning a part of it, by a membership, or by
 * rights that its owner gives on whatever is made. Superusers may do everything, which nothing can change.
 */
export async function rightsFindings(session: Session, schema: string): Promise<Finding[]> {
  const rights = await unexpectedRights(session, schema, await storedGrants(session, schema));
  const rows = await session.rows(sql`
    with log as (select n.oid, n.nspowner as owner from pg_namespace n where n.oid = to_regnamespace(${schema}))
    select 'own' as how, c.oid::regclass::text as what, quote_ident(r.rolname) as role
    from log join pg_class c on c.relnamespace = log.oid join pg_roles r on r.oid = c.relowner
    where c.relowner <> log.owner and c.relkind <> 'i'
    union all
    select 'own', p.oid::regprocedure::text, quote_ident(r.rolname)
    from log join pg_proc p on p.pronamespace = log.oid join pg_roles r on r.oid = p.proowner
    where p.proowner <> log.owner
    union all
    select 'member', quote_ident(o.rolname), quote_ident(r.rolname)
    from log
    join pg_roles o on o.oid = log.owner
      or o.rolname in ('pg_read_all_data', 'pg_write_all_data', 'pg_maintain')
    join pg_auth_members m on m.roleid = o.oid
    join pg_roles r on r.oid = m.member
    where not r.rolsuper and not (r.oid = log.owner)
    union all
    select 'default', case d.defaclobjtype when 'f' then 'functions' when 'S' then 'sequences' when 'n' then 'schemas'
        when 'T' then 'types' else 'tables' end,
      coalesce(quote_ident(r.rolname), 'public')
    from log
    join pg_default_acl d on d.defaclrole = log.owner and d.defaclnamespace in (0, log.oid)
    cross join lateral aclexplode(d.defaclacl) a
    left join pg_roles r on r.oid = a.grantee
    where a.grantee <> log.owner and not (d.defaclobjtype in ('f', 'T') and a.grantee = 0)
    group by 1, 2, 3
    order by 1, 2, 3`);
  const found = (message: string): Finding => ({ code: "RIGHTS_UNEXPECTED", severity: "warning", message });
  return [
    ...rights.map(({ privilege, kind, object, role }) =>
      found(`${nameOf(role)} has ${privilege} on the ${kind} ${object}, which install() did not give.`),
    ),
    ...rows.map(({ how, what, role }) => found(sentences[how as keyof typeof sentences](role ?? "", what ?? ""))),
  ];
}

const nameOf = (role: string) => (role === "public" ? "Everyone" : `The role ${role}`);

const sentences = {
  own: (role: string, what: string) => `${nameOf(role)} owns ${what}, which belongs to the log.`,
  member: (role: string, what: string) =>
    `${nameOf(role)} is a member of ${what} and may do with the log whatever that may.`,
  default: (role: string, what: string) =>
    `The owner of the log gives ${role === "public" ? "everyone" : role} rights on ${what} that it makes. ` +
    "The log takes them back on its own; those made by hand keep them.",
};
