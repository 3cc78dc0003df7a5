import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";

/** The step that the log's tables are at; 0 where there are none. */
export async function stepOf(session: Session, schema: string): Promise<number> {
  const there = (await session.row(sql`select to_regclass(${`${schema}.installation`}) as there`))?.there != null;
  return there ? numberOf(await session.row(sql`select step from ${raw(schema)}.installation`), "step") : 0;
}
