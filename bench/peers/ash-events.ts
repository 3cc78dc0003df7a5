import {
  type DataSource,
  type EntitySubscriberInterface,
  EventSubscriber,
  type InsertEvent,
  type QueryRunner,
  type TransactionStartEvent,
  type UpdateEvent,
} from "typeorm";
import { Account } from "../capture/account.js";

/**
 * AshEvents' way in TypeORM's terms: one lock for all writers, taken when a transaction begins, and one insert into one table for
 * each change. It is written here to be measured; it keeps what the hooks show.
 */
export const ashEvents = {
  table: "ash_event",
  /** Its default. */
  lockKey: 2_147_483_647,
  createTable: `create table ash_event (
    id bigint generated always as identity primary key,
    resource text not null,
    record_id text not null,
    action text not null,
    version integer not null,
    data jsonb not null,
    changed_attributes jsonb not null,
    metadata jsonb not null,
    actor text,
    occurred_at timestamptz not null default clock_timestamp()
  )`,
};

const insertEvent = `insert into ash_event (resource, record_id, action, version, data, changed_attributes, metadata, actor)
  values ('account', $1, $2, 1, $3, '{}', '{"source": "api"}', '5f7c2f0e-8f3d-4c57-9a25-0f6d8c3b2a11')`;

@EventSubscriber()
export class AshEventsSubscriber implements EntitySubscriberInterface<Account> {
  /** Hooks of one save run side by side; pg wants one statement after another. */
  readonly #last = new WeakMap<QueryRunner, Promise<unknown>>();

  listenTo() {
    return Account;
  }

  async afterTransactionStart({ queryRunner }: TransactionStartEvent): Promise<void> {
    await queryRunner.query(`select pg_advisory_xact_lock(${ashEvents.lockKey})`);
  }

  afterInsert({ queryRunner, entity }: InsertEvent<Account>): Promise<void> {
    return this.#record(queryRunner, entity.id, "create", entity);
  }

  async afterUpdate({ queryRunner, entity, databaseEntity, updatedColumns }: UpdateEvent<Account>): Promise<void> {
    // Of an update by criteria the hook shows no row.
    if (entity === undefined || databaseEntity === undefined) return;
    const changed = updatedColumns.map(({ propertyName }) => [propertyName, entity[propertyName]]);
    await this.#record(queryRunner, databaseEntity.id, "update", Object.fromEntries(changed));
  }

  #record(queryRunner: QueryRunner, id: number, action: string, data: unknown): Promise<void> {
    const before = this.#last.get(queryRunner);
    const recorded = (async () => {
      await before;
      await queryRunner.query(insertEvent, [String(id), action, JSON.stringify(data)]);
    })();
    this.#last.set(queryRunner, recorded);
    return recorded;
  }
}

/** Its bulk actions record each row on its own; hooks cannot show these, so here the statement returns them. */
export function updateByCriteria(dataSource: DataSource, city: string): Promise<void> {
  return dataSource.transaction(async ({ queryRunner }) => {
    if (queryRunner === undefined) return;
    const [rows] = (await queryRunner.query("update account set city = $1 where id <= 1000 returning id", [city])) as [
      { id: number }[],
    ];
    for (const { id } of rows) await queryRunner.query(insertEvent, [String(id), "update", JSON.stringify({ city })]);
  });
}
