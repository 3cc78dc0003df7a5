import {
  type BeforeQueryEvent,
  type EntitySubscriberInterface,
  EventSubscriber,
  type TransactionCommitEvent,
  type TransactionRollbackEvent,
} from "typeorm";
import { isAttached } from "../core/attachment.js";
import { recorderOf, start } from "./lifecycle.js";

/** The activity log's part among the subscribers: it starts with the DataSource's first query, and hears how transactions end. */
@EventSubscriber()
export class ActivitySubscriber implements EntitySubscriberInterface {
  #isStarted = false;

  beforeQuery({ dataSource }: BeforeQueryEvent): void {
    // The first queries are initialize()'s own, before there is metadata.
    if (this.#isStarted || !dataSource.isInitialized) return;
    start(dataSource); // throws if the spool's folder is refused: for every query, not only the first
    this.#isStarted = true;
  }

  afterTransactionCommit({ dataSource, queryRunner }: TransactionCommitEvent): void {
    if (isAttached(dataSource.options)) recorderOf(dataSource).transactionEnded(queryRunner, true);
  }

  afterTransactionRollback({ dataSource, queryRunner }: TransactionRollbackEvent): void {
    if (isAttached(dataSource.options)) recorderOf(dataSource).transactionEnded(queryRunner, false);
  }
}
