import { EventLogError } from "../src/core/errors.js";
import type { Session } from "../src/core/session.js";
import { quoteIdentifier, quoteLiteral, sql } from "../src/core/sql.js";
import { shadowMark } from "../src/log/shadow-mark.js";

async function kindOf(session: Session, schema: string): Promise<"none" | "shadow" | "other"> {
  const row = await session.row(
    sql`select obj_description(oid, 'pg_namespace') = ${shadowMark} as ours from pg_namespace where nspname = ${schema}`,
  );
  return row === undefined ? "none" : row.ours === "t" ? "shadow" : "other";
}

/** An empty schema in the place of an earlier shadow. Throws OPTIONS_INVALID for a schema that is not ours. */
export async function createSchema(session: Session, schema: string): Promise<void> {
  if ((await kindOf(session, schema)) === "other") {
    throw new EventLogError(
      "OPTIONS_INVALID",
      `shadow: the schema ${quoteIdentifier(schema)} exists and is no shadow.`,
      {
        hint: "Name another one: shadow(point, { schema }).",
      },
    );
  }
  const name = quoteIdentifier(schema);
  await session.run(`set local client_min_messages = 'error'; drop schema if exists ${name} cascade;
    create schema ${name}; comment on schema ${name} is ${quoteLiteral(shadowMark)}`);
}

/** Drops a shadow; leaves alone what is none. */
export async function dropSchema(session: Session, schema: string): Promise<void> {
  if ((await kindOf(session, schema)) !== "shadow") return;
  await session.transaction(() =>
    session.run(`set local client_min_messages = 'error'; drop schema if exists ${quoteIdentifier(schema)} cascade`),
  );
}
