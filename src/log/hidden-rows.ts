import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { sql, type Statement } from "../core/sql.js";

/** A table of which row level security hides rows from a role. */
export interface HiddenRows {
  /** What the caller named it. */
  readonly name: string;
  /** The table, or a partition of it, and the role, as SQL writes them. */
  readonly table: string;
  readonly role: string;
  /** Quoted. Without any, all rows are hidden. */
  readonly policies: readonly string[];
}

/**
 * The relations, of a query of `name` and `oid`, that row level security applies to if a role reads them: as Postgres decides it. It never
 * does for superusers and roles with BYPASSRLS, and for the owner of a table only by FORCE. `role` is an expression of the role's oid.
 */
export async function hiddenRows(session: Session, relations: Statement, role: Statement): Promise<HiddenRows[]> {
  const rows = await session.rows(sql`
    select n.name, c.oid::regclass::text as "table", r.oid::regrole::text as role, (
      select to_jsonb(array_agg(quote_ident(p.polname) order by p.polname)) from pg_policy p where p.polrelid = c.oid
    ) as policies
    from (${relations}) n (name, oid)
    join pg_class c on c.oid = n.oid
    join pg_roles r on r.oid = ${role}
    where c.relrowsecurity and not r.rolsuper and not r.rolbypassrls
    and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage'))
    order by 1, 2`);
  return rows.map(({ name, table, role: of, policies }) => ({
    name: name ?? "",
    table: table ?? "",
    role: of ?? "",
    policies: JSON.parse(policies ?? "[]") as string[],
  }));
}

/** In a sentence: what hides rows of what from whom. */
export function hiding({ table, role, policies }: HiddenRows): string {
  const by = policies.length === 0 ? "no policy shows any" : `by ${policies.join(", ")}`;
  return `row level security hides rows of ${table} from ${role} (${by})`;
}

type Table = { readonly entity: string; readonly sqlName: string };

/** The tables, of those that are there, of which row level security hides rows from the role that asks. */
export async function tablesWithHiddenRows(session: Session, tables: readonly Table[]): Promise<HiddenRows[]> {
  return hiddenRows(
    session,
    sql`select t.name, to_regclass(t.name)::oid from unnest(${tables.map(({ sqlName }) => sqlName)}::text[]) as t (name)`,
    sql`(select u.oid from pg_roles u where u.rolname = current_user)`,
  );
}

/** Whatever reads a table has to see all of its rows. Throws ROWS_HIDDEN. */
export async function refuseHiddenRows(session: Session, tables: readonly Table[]): Promise<void> {
  const found = await tablesWithHiddenRows(session, tables);
  if (found.length > 0) throw rowsHidden(found, tables);
}

/** The error for tables of which rows are hidden; `tables` are those that were asked about. */
export function rowsHidden(found: readonly HiddenRows[], tables: readonly Table[]): EventLogError {
  const entities = tables.filter(({ sqlName }) => found.some(({ name }) => name === sqlName));
  return new EventLogError(
    "ROWS_HIDDEN",
    `${entities.map(({ entity }) => entity).join(", ")}: ${found.map(hiding).join(", ")}.`,
    {
      details: {
        entities: entities.map(({ entity }) => entity),
        tables: found.map(({ table, policies }) => ({ table, policies })),
      },
    },
  );
}
