import type { Session } from "../core/session.js";
import { sql, type Statement } from "../core/sql.js";

/** An object, with its kind, and the role that owns it, quoted. */
export interface Owned {
  readonly what: string;
  readonly owner: string;
}

/** What lies in a schema and belongs neither to the schema's owner nor to a superuser. */
export async function objectsOfOthers(session: Session, schema: string): Promise<Owned[]> {
  const rows = await session.rows(sql`
    select 'the ' || i.type || ' ' || i.identity as what, quote_ident(r.rolname) as owner
    from pg_namespace n
    join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
      and d.classid <> 'pg_default_acl'::regclass
    join pg_shdepend o on o.classid = d.classid and o.objid = d.objid and o.deptype = 'o'
      and o.dbid = (select b.oid from pg_database b where b.datname = current_database())
    join pg_roles r on r.oid = o.refobjid
    cross join lateral pg_identify_object(d.classid, d.objid, 0) i
    where n.oid = to_regnamespace(${schema}) and r.oid <> n.nspowner and not r.rolsuper
    order by 1`);
  return rows as unknown as Owned[];
}

/** What an owner of these can have run when a table's values are read, cast or written. */
export type OwnedKind = "table" | "type" | "function";

/**
 * Tables with what they are partitions or parents of, the types of their columns and what those are made of, and the
 * functions of their triggers, if they belong neither to a role nor to a superuser. `tables` is a query of oids, `owner`
 * an expression for the role's.
 */
export async function ownedByOthers(
  session: Session,
  tables: Statement,
  owner: Statement,
): Promise<(Owned & { readonly kind: OwnedKind })[]> {
  const rows = await session.rows(sql`
    with recursive relation (oid) as (
      ${tables}
      union
      select case r.oid when i.inhparent then i.inhrelid else i.inhparent end
      from relation r join pg_inherits i on r.oid in (i.inhparent, i.inhrelid)
    ),
    type (oid) as (
      select a.atttypid from pg_attribute a join relation r on r.oid = a.attrelid where not a.attisdropped
      union
      select o.oid
      from type t join pg_type y on y.oid = t.oid
      left join pg_attribute a on a.attrelid = y.typrelid and not a.attisdropped
      left join pg_range g on g.rngtypid = y.oid or g.rngmultitypid = y.oid
      cross join lateral (values (y.typbasetype), (y.typelem), (a.atttypid), (g.rngsubtype)) as o (oid)
      where o.oid <> 0
    ),
    owned (kind, what, owner) as (
      select 'table', 'The table ' || c.oid::regclass, c.relowner from relation join pg_class c using (oid)
      union
      select 'type', 'The type ' || y.oid::regtype, y.typowner from type join pg_type y using (oid)
      union
      select 'function', 'The function ' || p.oid::regprocedure || ' of a trigger on ' || g.tgrelid::regclass, p.proowner
      from relation r join pg_trigger g on g.tgrelid = r.oid join pg_proc p on p.oid = g.tgfoid
    )
    select o.kind, o.what, quote_ident(r.rolname) as owner
    from owned o join pg_roles r on r.oid = o.owner
    where not r.rolsuper and r.oid <> ${owner}
    order by 2`);
  return rows as unknown as (Owned & { readonly kind: OwnedKind })[];
}
