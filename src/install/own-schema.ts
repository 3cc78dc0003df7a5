import { steps } from "../../entities/steps/index.js";
import { EventLogError } from "../core/errors.js";
import type { Session } from "../core/session.js";
import { sql } from "../core/sql.js";

/** The log's own tables, as its steps make them; partitions belong to theirs. */
const ownTables = steps.flatMap(({ sql: make }) =>
  [...make("log").matchAll(/^create (?:unlogged )?table log\.(\w+)/gm)].map(([, name = ""]) => name),
);

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
