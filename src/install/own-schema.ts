import { functions } from "../../entities/functions/index.js";
import { steps } from "../../entities/steps/index.js";
import { EventLogError } from "../core/errors.js";
import type { Capture } from "../core/options.js";
import type { Session } from "../core/session.js";
import { sql } from "../core/sql.js";
import { heirsOf, heirsSentence } from "../log/heirs.js";
import { refuseHiddenRows } from "../log/hidden-rows.js";
import { ownedByOthers, type OwnedBehind } from "../log/ownership.js";
import type { TrackedTable } from "../log/tracked-tables.js";

/** Names that SQL of the log makes, by a pattern; partitions and sequences belong to their tables. */
const madeBy = (texts: readonly string[], pattern: RegExp) =>
  texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name = ""]) => name));
const ownTables = madeBy(
  steps.map(({ sql: make }) => make("log")),
  /^create (?:unlogged )?table log\.(\w+)/gm,
);
const ownFunctions = madeBy(
  functions.map((make) => make("log")),
  /^create or replace (?:function|aggregate) log\.(\w+)/gm,
);

/** The tables, by name, and the types behind them that belong neither to this role nor to a superuser. */
export async function othersBehind(session: Session, tables: readonly string[]): Promise<OwnedBehind[]> {
  const found = await ownedByOthers(
    session,
    sql`select to_regclass(t.name)::oid from unnest(${tables}::text[]) as t (name)`,
    sql`(select r.oid from pg_roles r where r.rolname = current_user)`,
  );
  return found.filter(({ kind }) => kind !== "function");
}

/**
 * Whoever owns a table, or a type of its columns, can have code of theirs run when its values are read or cast: casts,
 * checks of domains, triggers. So they belong to the log's owner, to a superuser, or to a role that is accepted.
 * Throws NOT_OWNER.
 */
export async function refuseOwners(
  session: Session,
  found: readonly OwnedBehind[],
  accepted: readonly string[],
): Promise<void> {
  const role = (await session.row(sql`select current_user as name`))?.name ?? "";
  const objects = found.filter((object) => !accepted.includes(object.accepted));
  if (objects.length === 0) return;
  const all = objects.map(({ what, owner }) => `${what} belongs to ${owner}`);
  throw new EventLogError("NOT_OWNER", `${some(all)}, and this role is ${role}.`, {
    hint:
      "Run install() as the role that owns the tracked tables and the types of their columns, " +
      "or name the other owners in install({ acceptOwners }), which captures them and refuses to rebuild their rows.",
    details: { objects: objects.map(({ what, owner }) => ({ what, owner })) },
  });
}

/** The subscriber reads rows with the rights of the log's owner. Throws OTHER_OWNER for tables of others. */
function refuseUnreadable(found: readonly OwnedBehind[]): void {
  const tables = found.filter(({ kind }) => kind === "table");
  if (tables.length === 0) return;
  throw new EventLogError(
    "OTHER_OWNER",
    `${some(tables.map(({ what, owner }) => `${what} belongs to ${owner}`))}: ` +
      "capture by the subscriber reads the table, which would run code of that role.",
    {
      hint: 'Use capture: "trigger", or give the table to the role that owns the log.',
      details: { objects: tables.map(({ what, owner }) => ({ what, owner })) },
    },
  );
}

/** The subscriber's capture reads the rows that are written. Throws OTHER_OWNER, ROWS_HIDDEN. */
export async function refuseUnreadableTables(
  session: Session,
  capture: Capture,
  tables: readonly TrackedTable[],
  others: readonly OwnedBehind[],
): Promise<void> {
  if (capture !== "subscriber") return;
  refuseUnreadable(others);
  await refuseHiddenRows(session, tables);
}

export async function refuseHeirs(session: Session, tables: readonly TrackedTable[]): Promise<void> {
  const heirs = await heirsOf(session, tables);
  if (heirs.length === 0) return;
  throw new EventLogError("CAPTURE_IMPAIRED", heirs.map(heirsSentence).join(" "), {
    hint: "Track each of these tables by an entity of its own, without `inherits`, or make them partitions.",
    details: { tables: heirs },
  });
}

/** What lies in the log's schema and is not the log's; `schema` is quoted. */
async function strangersIn(session: Session, schema: string): Promise<string[]> {
  const rows = await session.rows(sql`
    select i.type || ' ' || i.identity as name
    from pg_depend d
    left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
    left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
    cross join lateral pg_identify_object(d.classid, d.objid, 0) i
    where d.refclassid = 'pg_namespace'::regclass and d.refobjid = to_regnamespace(${schema})
    and d.classid <> 'pg_default_acl'::regclass
    and (
      c.relkind in ('r', 'p') and c.relname = any (${ownTables})
      or c.relkind = 'c' and c.relname = 'change'
      or exists (select from pg_inherits i where i.inhrelid = c.oid)
      or exists (
        select from pg_depend o
        where o.classid = 'pg_class'::regclass and o.objid = c.oid and o.deptype in ('a', 'i')
        and o.refclassid = 'pg_class'::regclass)
      or p.proname = any (${ownFunctions}) or p.proname ~ '^(capture|flush)_[0-9]+$'
      or t.typname = 'change') is not true
    order by 1`);
  return rows.map(({ name }) => name ?? "");
}

/** The log has its schema to itself, because `uninstall` drops it whole. Throws OPTIONS_INVALID. */
export async function refuseSharedSchema(session: Session, schema: string): Promise<void> {
  const strangers = await strangersIn(session, schema);
  if (strangers.length === 0) return;
  throw new EventLogError("OPTIONS_INVALID", `install: the schema ${schema} holds other objects: ${some(strangers)}.`, {
    hint: 'Give the log a schema of its own: withEventLog(options, { schema: "chronicle" }).',
    details: { objects: strangers },
  });
}

/** Before the schema is dropped with all that is in it. Throws UNINSTALL_REFUSED. */
export async function refuseStrangers(session: Session, schema: string): Promise<void> {
  const strangers = await strangersIn(session, schema);
  if (strangers.length === 0) return;
  throw new EventLogError(
    "UNINSTALL_REFUSED",
    `The schema ${schema} holds what is not the log's: ${some(strangers)}.`,
    { hint: "Move it to another schema first: the log's is dropped whole.", details: { objects: strangers } },
  );
}

function some(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}
