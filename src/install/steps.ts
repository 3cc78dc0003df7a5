import { steps } from "../../entities/steps/index.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/** Takes the numbered steps that this database has not taken yet, in order, each once. */
export async function takeSteps(session: Session, schema: string, all = steps): Promise<void> {
  const done = await stepOf(session, schema);
  for (const { number, sql: make } of all) if (number > done) await session.run(make(schema));
}

/** The step that the log's tables are at; 0 where there are none. */
export async function stepOf(session: Session, schema: string): Promise<number> {
  const there = (await session.row(sql`select to_regclass(${`${schema}.installation`}) as there`))?.there != null;
  return there ? numberOf(await session.row(sql`select step from ${raw(schema)}.installation`), "step") : 0;
}
