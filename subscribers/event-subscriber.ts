import {
  type BeforeQueryEvent,
  type DataSource,
  type EntitySubscriberInterface,
  EventSubscriber,
  type QueryRunner,
} from "typeorm";
import { stateOf } from "../src/core/database-errors.js";
import type { PgClient } from "../src/core/pg-client.js";
import { Session } from "../src/core/session.js";
import { sql } from "../src/core/sql.js";
import { attachmentOf, isAttached } from "../src/core/attachment.js";
import { refuse } from "../src/log/finding.js";
import { findingsOf } from "../src/log/status.js";
import { trackedTables } from "../src/log/tracked-tables.js";
import { capturedTables } from "./captured-tables.js";
import { isInTransaction } from "./client.js";
import { forgetInstalled, installedTables, isInstalled, rememberInstalled } from "./installed.js";
import { writesOf } from "./written-tables.js";

/**
 * The subscriber that withEventLog adds. Under trigger capture it does one thing: before the first write on a tracked
 * table of a process it asks whether the log is installed, so that no write goes unrecorded in silence; and again from time to
 * time, for writes outside of a transaction, which are not confirmed at a commit.
 */
@EventSubscriber()
export class ChronicleSubscriber implements EntitySubscriberInterface {
  beforeQuery({ dataSource, queryRunner, query }: BeforeQueryEvent): Promise<void> | void {
    if (isInstalled(dataSource) || !isAttached(dataSource.options)) return undefined;
    const { capture } = attachmentOf(dataSource).options;
    if (capture === "subscriber" && installedTables(dataSource) !== undefined) return undefined; // each flush asks for itself
    if (!writesTracked(dataSource, query)) return undefined;
    return this.#refuseUntilInstalled(dataSource, queryRunner);
  }

  async #refuseUntilInstalled(dataSource: DataSource, queryRunner: QueryRunner): Promise<void> {
    const client = (await queryRunner.connect()) as PgClient;
    const isNested = queryRunner.isTransactionActive || isInTransaction(client);
    const known = installedTables(dataSource);
    if (known !== undefined) {
      if (isNested) return;
      rememberInstalled(dataSource, known); // one write asks again, the others need not wait for its answer
    }
    const session = new Session(client, { isNested });
    try {
      const oids = await session.transaction(async () => {
        refuse(await findingsOf(session, dataSource));
        return tableOids(session, dataSource);
      });
      rememberInstalled(dataSource, oids);
    } catch (error) {
      forgetInstalled(dataSource);
      if (stateOf(error) !== "25P02") throw error; // the transaction has failed already: its own error is the one to tell
    }
  }
}

async function tableOids(session: Session, dataSource: DataSource): Promise<ReadonlyMap<string, string>> {
  const names = trackedTables(dataSource).map(({ sqlName }) => sqlName);
  const rows = await session.rows(sql`
    select t.name, to_regclass(t.name)::oid::text as oid
    from unnest(${names}::text[]) as t (name)
    where to_regclass(t.name) is not null`);
  return new Map(rows.map(({ name, oid }) => [name ?? "", oid ?? ""]));
}

function writesTracked(dataSource: DataSource, query: string): boolean {
  const { targets } = writesOf(query);
  return targets.some((target) => capturedTables(dataSource).byName.get(target)?.tracked !== undefined);
}
