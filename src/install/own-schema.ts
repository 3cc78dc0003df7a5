import { steps } from "../../entities/steps/index.js";
import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { sql } from "../core/sql.js";

/** The log's own tables, as its steps make them; partitions belong to theirs. */
const ownTables = steps.flatMap(({ sql: make }) =>
  [...make("log").matchAll(/^create (?:unlogged )?table log\.(\w+)/gm)].map(([, name = ""]) => name),
);

/**
 * Whoever owns a table, or a type of its columns, can have code of theirs run when its values are read or cast: casts,
 * checks of domains, triggers. So they belong to the log's owner, or to a superuser.
 * Throws NOT_OWNER.
 */
export async function refuseOwnersOf(session: Session, tables: readonly string[]): Promise<void> {
  const rows = await session.rows(sql`
    with recursive relation (oid) as (
      select to_regclass(t.name)::oid from unnest(${tables}::text[]) as t (name)
      union
      select p.relid from relation r cross join lateral pg_partition_tree(r.oid) p
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
    )
    select owned.what, quote_ident(r.rolname) as owner, current_user as role
    from (
      select 'The table ' || c.oid::regclass as what, c.relowner as owner from relation join pg_class c using (oid)
      union
      select 'The type ' || y.oid::regtype, y.typowner from type join pg_type y using (oid)
    ) owned
    join pg_roles r on r.oid = owned.owner
    where not r.rolsuper and r.rolname <> current_user
    order by 1`);
  const [first] = rows;
  if (first === undefined) return;
  const all = rows.map(({ what, owner }) => `${what} belongs to ${owner}`);
  throw new EventLogError("NOT_OWNER", `${some(all)}, and this role is ${first.role}.`, {
    hint: "Run install() as the role that owns the tracked tables and the types of their columns.",
    details: { objects: rows.map(({ what, owner }) => ({ what, owner })) },
  });
}

/** Tables and views in the log's schema that are not the log's; `schema` is quoted. */
async function strangersIn(session: Session, schema: string): Promise<string[]> {
  const rows = await session.rows(sql`
    select c.relname as name from pg_class c
    where c.relnamespace = to_regnamespace(${schema}) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and c.relname <> all (${ownTables}) and not exists (select from pg_inherits i where i.inhrelid = c.oid) order by 1`);
  return rows.map(({ name }) => name ?? "");
}

/** The log has its schema to itself, because `uninstall` drops it whole. Throws OPTIONS_INVALID. */
export async function refuseSharedSchema(session: Session, schema: string): Promise<void> {
  const strangers = await strangersIn(session, schema);
  if (strangers.length === 0) return;
  throw new EventLogError("OPTIONS_INVALID", `install: the schema ${schema} holds other tables: ${some(strangers)}.`, {
    hint: 'Give the log a schema of its own: withEventLog(options, { schema: "chronicle" }).',
    details: { tables: strangers },
  });
}

/** Before the schema is dropped with all that is in it. Throws UNINSTALL_REFUSED. */
export async function refuseStrangers(session: Session, schema: string): Promise<void> {
  const strangers = await strangersIn(session, schema);
  if (strangers.length === 0) return;
  throw new EventLogError(
    "UNINSTALL_REFUSED",
    `The schema ${schema} holds tables or views that are not the log's: ${some(strangers)}.`,
    { hint: "Move them to another schema first: the log's is dropped whole.", details: { tables: strangers } },
  );
}

function some(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}
