import { Column, Entity, EventSubscriber } from "typeorm";
import { Account } from "../capture/account.js";

/** What a package asks an application for: the entity of its history, and the subscriber that fills it. */
export interface History {
  readonly table: string;
  readonly entity: Class;
  readonly subscriber: Class;
}

// oxlint-disable-next-line typescript/no-explicit-any -- what TypeORM takes as a class
type Class = new (...parameters: any[]) => object;

interface TypeormAuditing {
  AuditingEntity(origin: Class, options: { name: string }): ClassDecorator;
  AuditingSubscriber: Class;
}

/** As its README has it: the history's columns come from the origin, by the decorator. */
export function auditing({ AuditingEntity, AuditingSubscriber }: TypeormAuditing): History {
  const table = "auditing_account";
  class AuditingAccount extends Account {}
  AuditingEntity(Account, { name: table })(AuditingAccount);
  return { table, entity: AuditingAccount, subscriber: AuditingSubscriber };
}

interface TypeormHistory {
  HistoryEntitySubscriber: Class;
  HistoryActionColumn(): PropertyDecorator;
  HistoryOriginalIdColumn(options: { type: "integer" }): PropertyDecorator;
}

/** As its README has it, by "inheriting an entity class". */
export function history(
  { HistoryEntitySubscriber, HistoryActionColumn, HistoryOriginalIdColumn }: TypeormHistory,
  table: string,
): History {
  @Entity(table)
  class AccountHistory extends Account {
    @HistoryOriginalIdColumn({ type: "integer" }) originalID!: number;
    @HistoryActionColumn() action!: string;
    @Column({ type: "timestamp with time zone", name: "recorded_at", default: () => "clock_timestamp()" })
    recordedAt!: Date;
  }
  @EventSubscriber()
  class AccountHistorySubscriber extends HistoryEntitySubscriber {
    get entity() {
      return Account;
    }
    get historyEntity() {
      return AccountHistory;
    }
  }
  return { table, entity: AccountHistory, subscriber: AccountHistorySubscriber };
}
