import { steps } from "../../entities/steps/index.js";
import type { Session } from "../core/session.js";
import { stepOf } from "../log/step.js";

/** Takes the numbered steps that this database has not taken yet, in order, each once. */
export async function takeSteps(session: Session, schema: string, all = steps): Promise<void> {
  const done = await stepOf(session, schema);
  for (const { number, sql: make } of all) if (number > done) await session.run(make(schema));
}
