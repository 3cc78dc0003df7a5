import type { Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import type { Finding } from "./finding.js";
import { acceptedKey, objectsOfOthers, ownedByOthers } from "./ownership.js";
import { storedGrants, unexpectedRights } from "./secure.js";

/**
 * Who may do more with the log than install() gave: by a right on it, by owning a part of it or of what it reads, by a
 * membership, by what was made while there was a right, or by rights that its owner gives on whatever is made.
 * Superusers may do everything, which nothing can change.
 */
export async function rightsFindings(session: Session, schema: string): Promise<Finding[]> {
  const rights = await unexpectedRights(session, schema, await storedGrants(session, schema));
  const owned = await objectsOfOthers(session, schema);
  const behind = await ownedByOthers(
    session,
    sql`select t.table_oid from ${raw(schema)}.tracked t join pg_class c on c.oid = t.table_oid`,
    sql`(select n.nspowner from pg_namespace n where n.oid = to_regnamespace(${schema}))`,
  );
  const accepted = (
    await session.rows(sql`
      select jsonb_array_elements_text(i.accepted_owners) as key from ${raw(schema)}.installation i`)
  ).map(({ key }) => key);
  const rows = await session.rows(sql`
    with log as (select n.oid, n.nspowner as owner from pg_namespace n where n.oid = to_regnamespace(${schema})),
    found (how, what, role) as (
      select 'member', quote_ident(o.rolname), r.oid
      from log
      join pg_roles o on o.oid = log.owner or o.rolname = any (${mightyRoles})
      join pg_roles r on r.oid <> o.oid and pg_has_role(r.oid, o.oid, 'member')
      union
      select 'default', case d.defaclobjtype when 'f' then 'functions' when 'S' then 'sequences' when 'n' then 'schemas'
          when 'T' then 'types' else 'tables' end,
        a.grantee
      from log
      join pg_default_acl d on d.defaclrole = log.owner and d.defaclnamespace in (0, log.oid) and d.defaclobjtype <> 'L'
      cross join lateral aclexplode(d.defaclacl) a
      where not (d.defaclobjtype in ('f', 'T') and a.grantee = 0)
      union
      select 'trigger', c.oid::regclass::text, a.grantee
      from log
      join ${raw(schema)}.tracked t on true
      join pg_class c on c.oid = t.table_oid
      cross join lateral aclexplode(c.relacl) a
      where a.privilege_type = 'TRIGGER' and a.grantee <> c.relowner
      union
      select 'capture', c.oid::regclass::text, c.relowner
      from log
      join pg_proc p on p.pronamespace = log.oid and p.proname ~ '^capture_[0-9]+$'
      join pg_trigger g on g.tgfoid = p.oid
      join pg_class c on c.oid = g.tgrelid
      where not exists (select from ${raw(schema)}.tracked t where t.table_oid = c.oid)
      union
      select 'reference', c.oid::regclass::text || ' to ' || f.confrelid::regclass, c.relowner
      from log
      join pg_class l on l.relnamespace = log.oid
      join pg_constraint f on f.confrelid = l.oid and f.contype = 'f'
      join pg_class c on c.oid = f.conrelid
    )
    select f.how, f.what, coalesce(quote_ident(r.rolname), 'public') as role
    from log cross join found f left join pg_roles r on r.oid = f.role
    where f.role <> log.owner and r.rolsuper is not true
    order by 1, 2, 3`);
  const found = (message: string): Finding => ({ code: "RIGHTS_UNEXPECTED", severity: "warning", message });
  return [
    ...rights.map(({ privilege, kind, object, column, role }) =>
      found(
        `${nameOf(role)} has ${privilege} on the ${kind} ${object}` +
          `${column === undefined ? "" : ` (${column})`}, which install() did not give.`,
      ),
    ),
    ...owned.map(({ what, owner }) => found(`${nameOf(owner)} owns ${what}, which lies in the log's schema.`)),
    ...behind
      .filter((object) => !accepted.includes(acceptedKey(object)))
      .map(({ what, owner }) =>
        found(
          `${what} belongs to ${owner}, who can have code of theirs run when the log's owner writes or reads ` +
            "what is tracked.",
        ),
      ),
    ...rows.map(({ how, what, role }) => found(sentences[how as keyof typeof sentences](role ?? "", what ?? ""))),
  ];
}

/** Roles of PostgreSQL whose members may read or write whatever there is, or the server's files. */
const mightyRoles = [
  "pg_read_all_data",
  "pg_write_all_data",
  "pg_maintain",
  "pg_read_server_files",
  "pg_write_server_files",
  "pg_execute_server_program",
];

const nameOf = (role: string) => (role === "public" ? "Everyone" : `The role ${role}`);

const sentences = {
  member: (role: string, what: string) =>
    `${nameOf(role)} is a member of ${what} and may do with the log whatever that may.`,
  default: (role: string, what: string) =>
    `The owner of the log gives ${role === "public" ? "everyone" : role} rights on ${what} that it makes. ` +
    "The log takes them back on its own; those made by hand keep them.",
  trigger: (role: string, what: string) =>
    `${nameOf(role)} has TRIGGER on ${what}: its triggers run as whoever writes there, the log's owner among them.`,
  capture: (role: string, what: string) =>
    `${nameOf(role)} owns ${what}, which has a capture trigger of the log: it writes events of a tracked table.`,
  reference: (role: string, what: string) =>
    `${nameOf(role)} owns the foreign key of ${what}: the log cannot delete what it refers to.`,
};
