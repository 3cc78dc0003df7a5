import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { raw, sql, type Statement } from "../core/sql.js";

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

/** What lies behind a table and belongs to somebody who can have code run when its values are read, cast or written. */
export interface OwnedBehind extends Owned {
  readonly kind: "table" | "type" | "function";
  /** What has to be accepted, by its oid, and the owner of that: for a function of a trigger, the table. */
  readonly accepting: string;
  readonly accepted: string;
}

/** As it is remembered; an oid alone could be that of a table and of a type. */
export const acceptedKey = ({ kind, accepting, accepted }: Pick<OwnedBehind, "kind" | "accepting" | "accepted">) =>
  `${kind === "type" ? "type" : "table"} ${accepting} of ${accepted}`;

/**
 * Tables with what they are partitions or parents of, the types of their columns and what those are made of, and the
 * functions of their triggers, if they belong neither to a role nor to a superuser. `tables` is a query of oids, `owner`
 * an expression for the role's.
 */
export async function ownedByOthers(session: Session, tables: Statement, owner: Statement): Promise<OwnedBehind[]> {
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
    owned (kind, what, owner, accepting, accepted) as (
      select 'table', 'The table ' || c.oid::regclass, c.relowner, c.oid, c.relowner
      from relation join pg_class c using (oid)
      union
      select 'type', 'The type ' || y.oid::regtype, y.typowner, y.oid, y.typowner
      from type join pg_type y using (oid)
      union
      select 'function', 'The function ' || p.oid::regprocedure || ' of a trigger on ' || c.oid::regclass, p.proowner,
        c.oid, c.relowner
      from relation
      join pg_class c using (oid)
      join pg_trigger g on g.tgrelid = c.oid
      join pg_proc p on p.oid = g.tgfoid
    )
    select o.kind, o.what, quote_ident(r.rolname) as owner, o.accepting::text as accepting, a.rolname as accepted
    from owned o
    join pg_roles r on r.oid = o.owner
    join pg_roles a on a.oid = o.accepted
    where not r.rolsuper and r.oid <> ${owner}
    order by 2`);
  return rows as unknown as OwnedBehind[];
}

type Table = { readonly entity: string; readonly sqlName: string };

/**
 * The tables, of those that are there, whose values cannot be read, cast or written without running code of others; or
 * only those whose rows cannot be read.
 */
export async function tablesOfOthers<T extends Table>(
  session: Session,
  schema: string,
  tables: readonly T[],
  only: "all" | "unreadable" = "all",
): Promise<T[]> {
  const isFine = only === "all" ? "is_own" : "is_readable";
  const rows = await session.rows(sql`
    select t.name from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    where to_regclass(t.name) is not null and not ${raw(schema)}.${raw(isFine)}(to_regclass(t.name)::oid)`);
  return tables.filter(({ sqlName }) => rows.some(({ name }) => name === sqlName));
}

/**
 * Rows of a table that another role owns, or with types of another role, are captured; whatever else reads, casts or
 * writes their values would run that role's code with the rights of this one. Throws OTHER_OWNER.
 */
export async function refuseTablesOfOthers(
  session: Session,
  schema: string,
  tables: readonly Table[],
  only: "all" | "unreadable" = "all",
): Promise<void> {
  const found = await tablesOfOthers(session, schema, tables, only);
  if (found.length === 0) return;
  const behind = await ownedByOthers(
    session,
    sql`select to_regclass(t.name)::oid from unnest(${found.map(({ sqlName }) => sqlName)}::text[]) as t (name)`,
    sql`(select n.nspowner from pg_namespace n where n.oid = to_regnamespace(${schema}))`,
  );
  const objects = behind.filter(({ kind }) => kind !== "function");
  throw new EventLogError(
    "OTHER_OWNER",
    `${objects.map(({ what, owner }) => `${what} belongs to ${owner}`).join(", ")}: ` +
      `what reads or writes values of ${found.map(({ entity }) => entity).join(", ")} would run code of that role.`,
    {
      details: {
        entities: found.map(({ entity }) => entity),
        objects: objects.map(({ what, owner }) => ({ what, owner })),
      },
    },
  );
}

/** Throws NOT_OWNER with the tables that the role which asks does not own. */
export async function requireOwnership(session: Session, tables: readonly Table[]): Promise<void> {
  const rows = await session.rows(sql`
    select t.name from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)
    join pg_class c on c.oid = t.name::regclass where not pg_has_role(c.relowner, 'usage')`);
  if (rows.length > 0)
    throw new EventLogError("NOT_OWNER", `This role does not own ${rows.map(({ name }) => name).join(", ")}.`);
}
