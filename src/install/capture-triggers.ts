import type { Session } from "../core/session.js";
import { quoteIdentifier, quoteLiteral, raw, sql, type Statement } from "../core/sql.js";
import type { SetUp } from "./set-up.js";

/** All capture triggers of the log, on whatever relation they are. Clones go with their originals. */
const all = (schema: string) => sql`
  select g.tgrelid::regclass as relation, g.tgname::text as name
  from pg_trigger g join pg_proc p on p.oid = g.tgfoid
  where p.pronamespace = ${raw(quoteLiteral(schema))}::regnamespace and g.tgname like ' chronicle %' and g.tgparentid = 0`;

/** Those on relations that are no part of a tracked table any more and that this role may alter. */
const stray = (schema: string) => sql`
  select s.relation, s.name
  from ${raw(schema)}.stray_triggers() s join pg_class c on c.oid = s.relation
  where not s.cloned and pg_has_role(c.relowner, 'usage')`;

/** Takes capture triggers off their relations, each in a transaction of its own. */
export async function dropTriggers(
  session: Session,
  schema: string,
  which: "all" | "stray",
  setUp: SetUp,
): Promise<void> {
  const found = await triggersBy(session, (which === "all" ? all : stray)(schema));
  for (const [relation, names] of found)
    await setUp(() => session.run(names.map((name) => `drop trigger if exists ${name} on ${relation}`).join("; ")));
}

export async function hasStrayTriggers(session: Session, schema: string): Promise<boolean> {
  return (await triggersBy(session, stray(schema))).size > 0;
}

async function triggersBy(session: Session, statement: Statement): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { relation, name } of await session.rows(statement))
    found.set(relation ?? "", [...(found.get(relation ?? "") ?? []), quoteIdentifier(name ?? "")]);
  return found;
}
