import { triggerSuffix } from "../../entities/functions/trigger-suffix.js";
import type { Link } from "../../src/core/attachment.js";
import { stateOf } from "../../src/core/database-errors.js";
import { EventLogError } from "../../src/core/errors.js";
import { quoteIdentifier, quoteLiteral } from "../../src/core/sql.js";
import { capturedTables } from "../captured-tables.js";
import { type Step, textOf, withoutResults, withText } from "../connection.js";
import { forgetInstalled, installedTables } from "../installed.js";
import { changesTables, keepsTransaction } from "../statement.js";
import { writesOf } from "../written-tables.js";

/**
 * Asks, in the message of the COMMIT, whether the tables that the transaction wrote are still those that this process
 * found installed, or have capture triggers too: a table that took the place of a tracked one has none. The commit fails
 * then. Writes that came before a change of tables in the same transaction were made on those of before.
 */
export function confirm(schema: string, link: Link): Step {
  const suffix = triggerSuffix(quoteIdentifier(schema));
  return ({ text }, connection) => {
    const { dataSource } = link;
    const { transaction } = connection;
    if (dataSource === undefined || !transaction.open) return undefined;
    const known = installedTables(dataSource);
    if (known === undefined) return undefined;
    if (changesTables(text)) transaction.written.clear();
    for (const target of writesOf(text).targets) {
      const { tracked } = capturedTables(dataSource).byName.get(target) ?? {};
      if (tracked !== undefined) transaction.written.add(tracked.sqlName);
    }
    if (transaction.written.size === 0 || !keepsTransaction(text)) return undefined;
    const question = asked([...transaction.written], known, suffix);
    return {
      around: async (send, query) => {
        try {
          return withoutResults(await send(withText(query, `${question}; ${textOf(query)}`)), 0, 1);
        } catch (error) {
          if (stateOf(error) === "25P02") return send(query); // it has failed before, and COMMIT is a rollback then
          const uncaptured = uncapturedOf(error);
          await connection.own("rollback").catch(() => undefined); // the first error is the one to tell
          if (uncaptured === undefined) throw error;
          forgetInstalled(dataSource);
          throw new EventLogError(
            "INSTALL_STALE",
            `The table ${uncaptured} is another one than at the last install: the transaction was rolled back.`,
          );
        }
      },
    };
  };
}

const mark = "typeorm-chronicle, no capture triggers: ";

/**
 * SQL that fails if tables are others than those that are known, and without capture triggers. The second question is a
 * text, so that it is planned only if it is asked: planning it takes 0.1 ms. A role needs no rights on the log to ask.
 */
function asked(tables: readonly string[], known: ReadonlyMap<string, string>, suffix: string): string {
  const oids = (list: readonly string[]) => `array[${list.join(", ")}]::pg_catalog.oid[]`;
  const found = oids(tables.map((name) => `pg_catalog.to_regclass(${quoteLiteral(name)})`));
  const same = oids(tables.map((name) => known.get(name) ?? "0"));
  const names = ["insert", "update", "delete", "truncate"].map((verb) => quoteLiteral(` chronicle ${verb}${suffix}`));
  const question = `
    select (${quoteLiteral(mark)} operator(pg_catalog.||)
      pg_catalog.string_agg(c.oid::pg_catalog.regclass::pg_catalog.text, ', '))::pg_catalog.int4
    from pg_catalog.pg_class c
    where c.oid operator(pg_catalog.=) any (${found})
    and c.relkind operator(pg_catalog.=) any ('{r,p,f}'::pg_catalog."char"[])
    and (
      select pg_catalog.count(*)
      from pg_catalog.pg_trigger g
      where g.tgrelid operator(pg_catalog.=) c.oid
      and g.tgname operator(pg_catalog.=) any (array[${names.join(", ")}]::pg_catalog.name[])
    ) operator(pg_catalog.<) ${names.length}`;
  return `select case when ${found} operator(pg_catalog.=) ${same} then null
    else pg_catalog.query_to_xml(${quoteLiteral(question)}, false, false, '') end`;
}

function uncapturedOf(error: unknown): string | undefined {
  if (stateOf(error) !== "22P02") return undefined;
  const { message } = error as Error;
  const at = message.indexOf(mark);
  return at < 0 ? undefined : message.slice(at + mark.length).replace(/"$/, "");
}
