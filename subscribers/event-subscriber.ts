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
import { attachmentOf, isAttached } from "../src/core/attachment.js";
import { refuse } from "../src/log/finding.js";
import { findingsOf } from "../src/log/status.js";
import { capturedTables } from "./captured-tables.js";
import { isInTransaction } from "./client.js";
import { writesOf } from "./written-tables.js";

/** DataSources whose log was found installed, and at least as new as the code. A negative answer is not kept. */
const installed = new WeakSet<DataSource>();

/**
 * The subscriber that withEventLog adds. Under trigger capture it does one thing: before the first write on a tracked
 * table of a process it asks whether the log is installed, so that no write goes unrecorded in silence.
 */
@EventSubscriber()
export class ChronicleSubscriber implements EntitySubscriberInterface {
  beforeQuery({ dataSource, queryRunner, query }: BeforeQueryEvent): Promise<void> | void {
    if (installed.has(dataSource) || !isAttached(dataSource.options)) return undefined;
    attachmentOf(dataSource);
    if (!writesTracked(dataSource, query)) return undefined;
    return this.#refuseUntilInstalled(dataSource, queryRunner);
  }

  async #refuseUntilInstalled(dataSource: DataSource, queryRunner: QueryRunner): Promise<void> {
    const client = (await queryRunner.connect()) as PgClient;
    const isNested = queryRunner.isTransactionActive || isInTransaction(client);
    const session = new Session(client, { isNested });
    try {
      refuse(await session.transaction(() => findingsOf(session, dataSource)));
      installed.add(dataSource);
    } catch (error) {
      if (stateOf(error) !== "25P02") throw error; // the transaction has failed already: its own error is the one to tell
    }
  }
}

function writesTracked(dataSource: DataSource, query: string): boolean {
  const { targets } = writesOf(query);
  return targets.some((target) => capturedTables(dataSource).byName.get(target)?.tracked !== undefined);
}
