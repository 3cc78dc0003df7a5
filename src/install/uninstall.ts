import type { DataSource } from "typeorm";
import { attachmentOf } from "../core/attachment.js";
import { EventLogError } from "../core/errors.js";
import { checkOptions, section } from "../core/option-checker.js";
import { numberOf, type Session } from "../core/session.js";
import { raw, sql } from "../core/sql.js";
import { stepOf } from "../log/step.js";
import { dropTriggers } from "./capture-triggers.js";
import { refuseStrangers } from "./own-schema.js";
import { type SetUpOptions, setUpOptions, withSetUp } from "./set-up.js";

const uninstallOptions = section(setUpOptions);

/**
 * Takes capture off the tables and drops the log with its schema, as long as it holds no event and no entry, and the schema nothing
 * of anybody else's: what was recorded is never dropped by us.
 * Does nothing where nothing is installed. Throws UNINSTALL_REFUSED, NOT_OWNER, INSTALL_LOCK_TIMEOUT.
 */
export async function uninstall(dataSource: DataSource, options: SetUpOptions = {}): Promise<void> {
  const { schema, options: log } = attachmentOf(dataSource);
  await withSetUp(dataSource, checkOptions("uninstall", options, uninstallOptions), async (session, setUp) => {
    if ((await stepOf(session, schema)) === 0) return;
    await setUp(async () => {
      await refuseEvents(session, schema, log.schema);
      await refuseStrangers(session, schema);
    });
    await dropTriggers(session, schema, "all", setUp);
    await setUp(async () => {
      await session.run(`lock table ${schema}.event, ${schema}.activity in share mode`);
      await refuseEvents(session, schema, log.schema);
      await refuseStrangers(session, schema);
      await session.run(`drop schema ${schema} cascade`);
    });
  });
}

async function refuseEvents(session: Session, schema: string, name: string): Promise<void> {
  for (const [table, what] of [
    ["event", "events"],
    ["activity", "entries of the activity log"],
  ] as const) {
    const row = await session.row(
      sql`select count(*) as found from (select from ${raw(`${schema}.${table}`)} limit 1) e`,
    );
    if (numberOf(row, "found") > 0)
      throw new EventLogError("UNINSTALL_REFUSED", `The log in schema ${name} holds ${what}.`, {
        details: { schema: name },
      });
  }
}
